//! `edgecam.toml` → settings, or every mistake at once. Pure: nothing is read or written here.
//!
//! The file has names of its own, for people who set a device up: few, and none that a firmware to come
//! would have to rename. What they become is checked as settings are.

use std::fmt;

use config::{Layers, Mistake, Sources};
use toml::{Table, Value};

/// Most bytes of the file.
const MOST: usize = 64 * 1024;
/// The wireless interface of every board that has one.
const WIRELESS: &str = "wlan0";
/// The wired one.
const WIRED: &str = "end0";

/// What is wrong with the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    /// The key, such as `wifi.password`, or the line.
    at: String,
    /// What is wrong with it, and what would be right.
    reason: String,
}

impl Wrong {
    pub(super) fn new(at: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { at: at.into(), reason: reason.into() }
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.reason)
    }
}

/// What the owner chose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Choices {
    /// The layer of settings (TOML), with what earlier files chose and this one does not name.
    pub(super) settings: String,
    /// SHA-256 of the code that claims the device, in lower case hexadecimal.
    pub(super) claim_hash: Option<String>,
    /// The keys that were there.
    pub(super) taken: Vec<String>,
}

/// Reads the file; `None`: nothing is set in it. `kept` is the layer that earlier files made.
pub(super) fn read(bytes: &[u8], kept: &str) -> Result<Option<Choices>, Vec<Wrong>> {
    let mut file = File { wrong: Vec::new(), taken: Vec::new() };
    let table = parsed(bytes).map_err(|one| vec![one])?;
    if table.is_empty() {
        return Ok(None);
    }
    let mut root = Section { name: "", table };
    // What is not ours to read any more was ours to write: as good as nothing.
    let mut settings: Table = kept.parse().unwrap_or_default();
    let claim_hash = root.text(&mut file, "claim_hash").and_then(|hash| file.hash(&hash));
    if let Some(name) = root.text(&mut file, "host_name") {
        settings.insert("node".into(), table_of([("id", name.into())]).into());
    }
    if let Some(zone) = root.text(&mut file, "time_zone") {
        settings.insert("time".into(), table_of([("zone", zone.into())]).into());
    }
    wifi(&mut file, &mut root, &mut settings);
    network(&mut file, &mut root, &mut settings);
    mqtt(&mut file, &mut root, &mut settings);
    root.end(&mut file, "host_name, time_zone, claim_hash, [wifi], [network], [mqtt]");
    file.check(&settings);
    if !file.wrong.is_empty() {
        return Err(file.wrong);
    }
    Ok(Some(Choices { settings: settings.to_string(), claim_hash, taken: file.taken }))
}

fn parsed(bytes: &[u8]) -> Result<Table, Wrong> {
    let whole = |reason: String| Wrong::new("the file", reason);
    if bytes.len() > MOST {
        return Err(whole(format!("has {} bytes; at most {MOST} are read", bytes.len())));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| {
        whole("is no text in UTF-8: save it as plain text with that encoding".to_owned())
    })?;
    let text = text.trim_start_matches('\u{feff}');
    text.parse().map_err(|error: toml::de::Error| {
        // Not the error as it prints itself: that shows the line, which may hold a password.
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        Wrong::new(format!("line {line}"), format!("is no TOML: {}", error.message()))
    })
}

/// `[wifi]` → `network`: a name without a password is an open network.
fn wifi(file: &mut File, root: &mut Section, settings: &mut Table) {
    let Some(mut wifi) = root.section(file, "wifi") else { return };
    let mut joined = Table::new();
    for key in ["ssid", "password"] {
        joined.extend(wifi.text(file, key).map(|text| (key.to_owned(), text.into())));
    }
    joined.extend(wifi.truth(file, "hidden").map(|hidden| ("hidden".to_owned(), hidden.into())));
    let country = wifi.text(file, "country");
    wifi.end(file, "ssid, password, country, hidden");
    change(settings, "network", |network| {
        network.remove("wifi_country");
        network.extend(country.map(|country| ("wifi_country".to_owned(), country.into())));
        change(network, "interfaces", |interfaces| {
            change(interfaces, WIRELESS, |one| {
                one.insert("wifi".into(), joined.into());
            });
        });
    });
}

/// `[network]` → the addresses of one interface; those of the others are asked for.
fn network(file: &mut File, root: &mut Section, settings: &mut Table) {
    let Some(mut section) = root.section(file, "network") else { return };
    let interface = section.text(file, "interface").unwrap_or_else(|| WIRED.to_owned());
    let lists = [("address", "addresses"), ("gateway", "gateways"), ("dns", "dns")];
    let lists = lists.map(|(key, setting)| (setting, section.texts(file, key)));
    section.end(file, "interface, address, gateway, dns");
    change(settings, "network", |network| {
        change(network, "interfaces", |interfaces| {
            let names: Vec<_> = interfaces.keys().cloned().collect();
            for name in names {
                change(interfaces, &name, |one| one.retain(|key, _| key == "wifi"));
            }
            change(interfaces, &interface, |one| {
                let given = lists.into_iter().filter_map(|(key, texts)| Some((key, texts?)));
                one.extend(given.map(|(key, texts)| (key.to_owned(), texts.into())));
            });
        });
    });
}

/// `[mqtt]` → the broker, as a URL.
fn mqtt(file: &mut File, root: &mut Section, settings: &mut Table) {
    let Some(mut mqtt) = root.section(file, "mqtt") else { return };
    let (host, port) = (mqtt.text(file, "host"), mqtt.port(file, "port"));
    let tls = mqtt.truth(file, "tls").unwrap_or(false);
    let mut broker = Table::new();
    match host {
        Some(host) => {
            let host = if host.contains(':') { format!("[{host}]") } else { host };
            let scheme = if tls { "mqtts" } else { "mqtt" };
            let port = port.map_or_else(String::new, |port| format!(":{port}"));
            broker.insert("url".into(), format!("{scheme}://{host}{port}").into());
        }
        None => file.wrong("mqtt.host", "must be given: the name or the address of the broker"),
    }
    for key in ["username", "password"] {
        broker.extend(mqtt.text(file, key).map(|text| (key.to_owned(), text.into())));
    }
    mqtt.end(file, "host, port, username, password, tls");
    settings.insert("mqtt".into(), broker.into());
}

/// The file as it is read.
struct File {
    wrong: Vec<Wrong>,
    taken: Vec<String>,
}

impl File {
    fn wrong(&mut self, at: &str, reason: impl Into<String>) {
        self.wrong.push(Wrong::new(at, reason));
    }

    fn hash(&mut self, text: &str) -> Option<String> {
        let hash = text.trim().trim_start_matches("sha256:").to_ascii_lowercase();
        if hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Some(hash);
        }
        let reason = "must be the SHA-256 of your code, 64 hexadecimal digits, as \
                      `printf %s YOUR-CODE | sha256sum` prints it; not the code itself";
        self.wrong("claim_hash", reason);
        None
    }

    /// Checks what the choices became as settings are checked.
    fn check(&mut self, settings: &Table) {
        // Infallible: texts, numbers and truths have a JSON.
        let made = serde_json::to_value(settings).unwrap_or_default();
        let Err(errors) = Sources::read(&Layers::default()).load(&made) else { return };
        for mistake in errors.mistakes() {
            let at = key_of(&mistake.pointer);
            if self.wrong.iter().all(|one| one.at != at) {
                self.wrong.push(Wrong::new(at, shown(mistake)));
            }
        }
    }
}

/// The reason, with the value where it is no secret.
fn shown(mistake: &Mistake) -> String {
    match &mistake.value {
        Some(value) => format!("{value} {}", mistake.reason),
        None => mistake.reason.clone(),
    }
}

/// The key of the file that became the setting at `pointer`.
fn key_of(pointer: &str) -> String {
    let parts: Vec<_> = pointer.split('/').skip(1).collect();
    let key = match parts.as_slice() {
        ["node", ..] => "host_name",
        ["time", ..] => "time_zone",
        ["network", "wifi_country"] => "wifi.country",
        ["network", "interfaces", _, "wifi", field, ..] => return format!("wifi.{field}"),
        ["network", "interfaces", _, "wifi"] => "wifi",
        ["network", "interfaces", _, "addresses" | "dhcp", ..] => "network.address",
        ["network", "interfaces", _, "gateways", ..] => "network.gateway",
        ["network", "interfaces", _, "dns", ..] => "network.dns",
        ["network", ..] => "network.interface",
        ["mqtt", field @ ("username" | "password")] => return format!("mqtt.{field}"),
        ["mqtt", ..] => "mqtt.host",
        _ => pointer,
    };
    key.to_owned()
}

/// A part of the file: what was read is taken out, so that what is left is unknown.
struct Section {
    name: &'static str,
    table: Table,
}

impl Section {
    fn key(&self, key: &str) -> String {
        if self.name.is_empty() { key.to_owned() } else { format!("{}.{key}", self.name) }
    }

    fn take<T>(
        &mut self,
        file: &mut File,
        key: &str,
        what: &str,
        read: impl FnOnce(Value) -> Option<T>,
    ) -> Option<T> {
        let value = self.table.remove(key)?;
        let key = self.key(key);
        let read = read(value);
        if read.is_none() {
            file.wrong(&key, format!("must be {what}"));
        }
        file.taken.push(key);
        read
    }

    fn text(&mut self, file: &mut File, key: &str) -> Option<String> {
        let text = |value| if let Value::String(text) = value { Some(text) } else { None };
        self.take(file, key, "a text in quotes, such as \"…\"", text)
    }

    fn truth(&mut self, file: &mut File, key: &str) -> Option<bool> {
        self.take(file, key, "true or false, without quotes", |value| value.as_bool())
    }

    fn port(&mut self, file: &mut File, key: &str) -> Option<u16> {
        let port = |value: Value| u16::try_from(value.as_integer()?).ok().filter(|port| *port > 0);
        self.take(file, key, "a number from 1 to 65535, without quotes", port)
    }

    /// One text, or a list of them.
    fn texts(&mut self, file: &mut File, key: &str) -> Option<Vec<Value>> {
        let texts = |value| match value {
            Value::String(_) => Some(vec![value]),
            Value::Array(all) if all.iter().all(Value::is_str) => Some(all),
            _ => None,
        };
        self.take(file, key, "a text in quotes, or a list of them in brackets", texts)
    }

    fn section(&mut self, file: &mut File, name: &'static str) -> Option<Section> {
        match self.table.remove(name)? {
            Value::Table(table) => Some(Section { name, table }),
            _ => {
                file.wrong(name, format!("must be a section: a line [{name}], its keys below it"));
                None
            }
        }
    }

    /// What is left is unknown; `known` are the names that are not.
    fn end(self, file: &mut File, known: &str) {
        for key in self.table.keys() {
            file.wrong(&self.key(key), format!("is not known; there are {known}"));
        }
    }
}

/// Changes the table `name` of `table`, a new one where there is none.
fn change(table: &mut Table, name: &str, change: impl FnOnce(&mut Table)) {
    let mut inner = match table.remove(name) {
        Some(Value::Table(inner)) => inner,
        _ => Table::new(),
    };
    change(&mut inner);
    if !inner.is_empty() {
        table.insert(name.to_owned(), inner.into());
    }
}

fn table_of<const N: usize>(entries: [(&str, Value); N]) -> Table {
    entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

#[cfg(test)]
mod tests;
