//! What is wrong now, from what the parts of the product tell. Pure.

use api::access::Certificate;
use api::resources::System;
use api::revisions::SettingsStatus;
use api::status::{CameraPhase, CameraStatus};
use api::system::IssueSeverity;
use jiff::{SignedDuration, Timestamp};

/// Free space below this share of the disk is little, and below the second, too little.
const LITTLE: [f64; 2] = [0.1, 0.02];
/// Available memory below this share is little.
const LITTLE_MEMORY: f64 = 0.05;
/// A certificate that ends within this time is to be replaced. The device makes its own anew before.
const ENDS_SOON: SignedDuration = SignedDuration::from_hours(21 * 24);

/// What the parts tell.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    /// The time.
    pub(crate) now: Timestamp,
    /// The machine and the children.
    pub(crate) system: System,
    /// The cameras.
    pub(crate) cameras: Vec<CameraStatus>,
    /// How the settings stand.
    pub(crate) settings: SettingsStatus,
    /// The certificate that HTTPS is served with.
    pub(crate) certificate: Option<Certificate>,
    /// Whether the clock was set.
    pub(crate) synchronised: Option<bool>,
    /// The temperature that is to be held, in °C.
    pub(crate) max_temp_c: Option<f32>,
    /// Streams are to be served, and there is no program that would.
    pub(crate) no_media_server: bool,
    /// Why the machine is not as it is set.
    pub(crate) hands: Option<String>,
}

/// What can be done by the device itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fix {
    /// Start this child anew.
    Restart(String),
    /// Confirm the settings that wait for it.
    Confirm,
    /// Make the device a certificate.
    Certificate,
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Found {
    /// What it is.
    pub(crate) code: String,
    /// How much it matters.
    pub(crate) severity: IssueSeverity,
    /// In a sentence.
    pub(crate) text: String,
    /// What can be done.
    pub(crate) suggestion: String,
    /// What the device can do.
    pub(crate) fix: Option<Fix>,
}

fn found(code: &str, severity: IssueSeverity, text: String, suggestion: &str) -> Found {
    Found { code: code.to_owned(), severity, text, suggestion: suggestion.to_owned(), fix: None }
}

use IssueSeverity::{Error, Info, Warning};

/// What is wrong, the gravest first.
pub(crate) fn find(facts: &Facts) -> Vec<Found> {
    let mut all: Vec<Found> = facts.cameras.iter().flat_map(of_camera).collect();
    all.extend(of_children(&facts.system));
    all.extend(of_machine(facts));
    all.extend(of_broker(&facts.system));
    all.extend(of_settings(&facts.settings));
    all.extend(of_certificate(facts));
    all.sort_by_key(|one| std::cmp::Reverse(one.severity));
    all
}

fn of_camera(camera: &CameraStatus) -> Vec<Found> {
    let mut all = Vec::new();
    let why = camera.error.clone();
    let down = match camera.phase {
        CameraPhase::Waiting | CameraPhase::Stalled | CameraPhase::Failed => true,
        CameraPhase::Starting => why.is_some(),
        CameraPhase::Running | CameraPhase::Ended | CameraPhase::Disabled => false,
    };
    if down {
        let why = why.unwrap_or_else(|| "it does not say why".to_owned());
        let text = format!("the camera {} shows nothing: {why}", camera.id);
        let suggestion = "look at its power, its cable and its source; \
                          PATCH /api/v1/cameras/{cam} sets another source";
        all.push(found(&format!("camera_down.{}", camera.id), Error, text, suggestion));
    }
    if let Some(note) =
        camera.detector.note.as_ref().filter(|_| camera.phase != CameraPhase::Disabled)
    {
        let text = format!("the camera {} does not run the chosen model: {note}", camera.id);
        let suggestion = "give the device a way to where the model is, or install it with \
                          `edgecamd install-model`";
        all.push(found(&format!("model_missing.{}", camera.id), Warning, text, suggestion));
    }
    all
}

fn of_children(system: &System) -> Vec<Found> {
    let helpers = system.children.iter().filter(|(name, _)| !name.starts_with("camera-"));
    // One that never ended is being started.
    let down = helpers.filter_map(|(name, child)| {
        Some((name, child.last_exit.as_ref().filter(|_| child.pid.is_none())?))
    });
    let issue = |(name, why): (&String, &String)| {
        let text = format!("{name} does not run: {why}");
        let suggestion = "it is started again by itself; the log of its unit says more";
        Found {
            fix: Some(Fix::Restart(name.clone())),
            ..found(&format!("program_down.{name}"), Error, text, suggestion)
        }
    };
    down.map(issue).collect()
}

fn of_machine(facts: &Facts) -> Vec<Found> {
    let (system, mut all) = (&facts.system, Vec::new());
    // The numbers are for people: fractions of a percent do not matter.
    let share = |part: u64, whole: u64| part as f64 / whole.max(1) as f64;
    let free = share(system.disk_free_bytes, system.disk_total_bytes);
    if system.disk_total_bytes > 0 && free < LITTLE[0] {
        let severity = if free < LITTLE[1] { Error } else { Warning };
        let text = format!(
            "the disk is nearly full: {} MB are free of {} MB",
            system.disk_free_bytes / 1_000_000,
            system.disk_total_bytes / 1_000_000
        );
        let suggestion = "keep fewer events and tracks (settings data.events_max, data.tracks_max_mb), \
                          or delete models and backups that are not needed";
        all.push(found("disk_full", severity, text, suggestion));
    }
    let memory = share(system.memory_available_bytes, system.memory_total_bytes);
    if system.memory_total_bytes > 0 && memory < LITTLE_MEMORY {
        let available = system.memory_available_bytes / 1_000_000;
        let text = format!("memory is nearly used up: {available} MB are left");
        all.push(found("memory_low", Warning, text, "run fewer cameras, or a smaller model"));
    }
    if let (Some(now), Some(max)) = (system.temperature_c, facts.max_temp_c)
        && now >= max
    {
        let text = format!("the processor has {now:.0} °C; {max:.0} °C are to be held");
        let suggestion = "give it a fan, a heat sink or shade; detection is reduced meanwhile";
        all.push(found("too_hot", Warning, text, suggestion));
    }
    if facts.synchronised == Some(false) {
        let text = "no NTP server has set the clock since the machine started".to_owned();
        let suggestion =
            "give the device a way to an NTP server: PUT /api/v1/system/time names one";
        all.push(found("clock_not_set", Warning, text, suggestion));
    }
    if facts.no_media_server {
        let text = "no streams are served: there is no MediaMTX of the right release".to_owned();
        let suggestion = "install it, or name its file in media_server.path; the log says where it \
                          was looked for";
        all.push(found("media_server_missing", Error, text, suggestion));
    }
    if let Some(why) = &facts.hands {
        let text = format!("network and clock are not as they are set: {why}");
        let suggestion = "mend what is said, or take the settings network and time back";
        all.push(found("machine_not_as_set", Warning, text, suggestion));
    }
    all
}

fn of_broker(system: &System) -> Vec<Found> {
    let mqtt = &system.mqtt;
    let mut all = Vec::new();
    if let (true, false, Some(why)) = (mqtt.enabled, mqtt.connected, &mqtt.error) {
        let text = format!("the MQTT broker is not reached: {why}");
        let suggestion = "look at the settings mqtt.url, mqtt.username and mqtt.password; events wait \
                          meanwhile";
        all.push(found("broker_unreachable", Warning, text, suggestion));
    }
    if mqtt.dropped_events > 0 {
        let text = format!("{} events were dropped: too many waited", mqtt.dropped_events);
        let suggestion = "mend the way to the broker, or let more wait (data.outbox_max_events)";
        all.push(found("events_dropped", Warning, text, suggestion));
    }
    all
}

fn of_settings(settings: &SettingsStatus) -> Vec<Found> {
    let mut all = Vec::new();
    if let Some(pending) = &settings.pending {
        let text = format!(
            "the settings of revision {} are taken back {} unless they are confirmed",
            pending.revision, pending.confirm_by
        );
        let suggestion = "POST /api/v1/settings/confirm keeps them";
        all.push(Found {
            fix: Some(Fix::Confirm),
            ..found("settings_unconfirmed", Info, text, suggestion)
        });
    }
    if let Some(back) = &settings.rolled_back {
        let text =
            format!("revision {} of the settings was taken back: {}", back.revision, back.reason);
        let suggestion = "mend what is said and set it again; any change ends this";
        all.push(found("settings_taken_back", Warning, text, suggestion));
    }
    if !settings.problems.is_empty() {
        let text = format!("kept settings are wrong: {}", settings.problems.join("; "));
        let suggestion = "set anew what is missing; older ones are in force meanwhile";
        all.push(found("settings_damaged", Warning, text, suggestion));
    }
    all
}

fn of_certificate(facts: &Facts) -> Vec<Found> {
    let ends = |certificate: &Certificate| certificate.not_after.duration_since(facts.now);
    let Some(certificate) = facts.certificate.as_ref().filter(|one| ends(one) < ENDS_SOON) else {
        return Vec::new();
    };
    let whose = if certificate.self_made { "the device's own" } else { "the owner's" };
    let text = format!("{whose} certificate of HTTPS ends {}", certificate.not_after);
    let severity = if ends(certificate).is_negative() { Error } else { Warning };
    let suggestion = "PUT /api/v1/system/certificate puts a new one in place; the fix lets the device \
                      make its own";
    let fix = Some(Fix::Certificate);
    vec![Found { fix, ..found("certificate_ends", severity, text, suggestion) }]
}

#[cfg(test)]
mod tests;
