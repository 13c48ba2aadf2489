//! The layers of settings: which wins, and that every mistake of every layer is told at once.

use std::io::Write as _;

use edgecam_config::{Board, Layers, Loaded, Source, load};

fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(text.as_bytes()).expect("writing it");
    file
}

fn layers(files: &[&tempfile::NamedTempFile], env: &[(&str, &str)], set: &[&str]) -> Layers {
    Layers {
        files: files.iter().map(|file| file.path().to_owned()).collect(),
        env: env.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
        set: set.iter().map(|text| (*text).to_owned()).collect(),
        ..Layers::default()
    }
}

fn loaded(layers: &Layers) -> Loaded {
    load(layers).unwrap_or_else(|errors| panic!("{errors}"))
}

/// The mistakes of `layers` as lines, ordered by pointer.
fn mistakes(layers: &Layers) -> Vec<String> {
    let errors = load(layers).expect_err("these settings are wrong");
    errors.mistakes().iter().map(ToString::to_string).collect()
}

#[test]
fn without_any_settings_there_is_one_camera_with_the_drawn_street() {
    let config = loaded(&Layers::default()).config;
    assert_eq!(config.cameras.len(), 1);
    assert_eq!(config.cameras[0].id.as_str(), "cam");
    assert!(matches!(config.cameras[0].source, Source::Scene { .. }));
}

#[test]
fn every_listener_is_on_loopback_until_the_owner_opens_it() {
    for board in [Board::Host, Board::Rpi4, Board::Rpi5] {
        let config = loaded(&Layers { board, ..Layers::default() }).config;
        assert!(config.api.listen.ip().is_loopback());
        let server = config.media_server.expect("on by default");
        for address in
            [server.rtsp_listen, server.hls_listen, server.webrtc_listen, server.control_listen]
        {
            assert!(address.ip().is_loopback(), "{address}");
        }
    }
}

#[test]
fn what_viewers_reach_through_the_api_listens_on_loopback_only() {
    let open =
        ["webrtc_listen=0.0.0.0:8889", "hls_listen=[::]:8888", "control_listen=0.0.0.0:9997"];
    let set = open.map(|one| format!("media_server.{one}"));
    let set: Vec<_> = set.iter().map(String::as_str).collect();
    let told = mistakes(&layers(&[], &[], &set));
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(told.iter().all(|line| line.contains("must be on loopback")), "{told:?}");
    let media =
        ["media_server.rtsp_listen=0.0.0.0:8554", "media_server.webrtc_udp_listen=[::]:8189"];
    loaded(&layers(&[], &[], &media));
}

#[test]
fn the_command_line_wins_over_the_environment_over_the_file() {
    let file =
        file("[cameras.front]\nname = \"file\"\n[cameras.front.encoder]\nbitrate_kbps = 500\n");
    let env = [("EDGECAM__CAMERAS__FRONT__NAME", "env")];
    let name = |layers: &Layers| loaded(layers).config.cameras[0].name.clone();
    assert_eq!(name(&layers(&[&file], &[], &[])), "file");
    assert_eq!(name(&layers(&[&file], &env, &[])), "env");
    assert_eq!(name(&layers(&[&file], &env, &["cameras.front.name=line"])), "line");
    let config = loaded(&layers(&[&file], &env, &[])).config;
    assert_eq!(config.cameras[0].encoder.bitrate_kbps, 500);
}

#[test]
fn a_later_file_wins_field_by_field_over_an_earlier_one() {
    let first = file("[cameras.front.encoder]\nbitrate_kbps = 500\nkey_frame_interval_s = 1.0\n");
    let second = file("[cameras.front.encoder]\nbitrate_kbps = 900\n");
    let config = loaded(&layers(&[&first, &second], &[], &[])).config;
    assert_eq!(config.cameras[0].encoder.bitrate_kbps, 900);
    assert_eq!(config.cameras[0].encoder.key_frame_interval.as_secs_f32(), 1.0);
}

#[test]
fn every_camera_starts_from_the_template() {
    let file = file(
        "[cameras.default.encoder]\nbitrate_kbps = 700\n[cameras.a]\n[cameras.b.encoder]\nbitrate_kbps = 800\n",
    );
    let config = loaded(&layers(&[&file], &[], &[])).config;
    let rates: Vec<_> =
        config.cameras.iter().map(|c| (c.id.as_str(), c.encoder.bitrate_kbps)).collect();
    assert_eq!(rates, [("a", 700), ("b", 800)]);
}

#[test]
fn the_source_of_the_command_line_is_the_only_cameras() {
    let only = Layers { source: Some("clip.mp4".into()), ..Layers::default() };
    assert!(matches!(&loaded(&only).config.cameras[0].source, Source::File { path, looped: true }
        if path.ends_with("clip.mp4")));
}

#[test]
fn all_mistakes_of_all_layers_are_told_at_once_with_where_they_were_made() {
    let file = file(
        "[cameras.front]\nsauce = 1\n[cameras.front.encoder]\nbitrate_kbps = \"much\"\n\
         [cameras.front.video]\nwidth = 641\nheight = 480\n",
    );
    let env = [("EDGECAM__MQTT__KEEP_ALIVE_S", "1")];
    let lines = mistakes(&layers(&[&file], &env, &["cameras.front.tracker.ema_weight=7"]));
    let expected = [
        ("/cameras/front/encoder/bitrate_kbps", "must be a whole number (set by file"),
        ("/cameras/front/sauce", "did you mean source? (set by file"),
        ("/cameras/front/tracker/ema_weight", "must be within 0.05..=1 (set by command line)"),
        ("/cameras/front/video/width", "must be even"),
        (
            "/mqtt/keep_alive_s",
            "must be within 5..=300 (set by environment variable EDGECAM__MQTT__KEEP_ALIVE_S)",
        ),
    ];
    assert_eq!(lines.len(), expected.len(), "{lines:#?}");
    for (line, (pointer, sentence)) in lines.iter().zip(expected) {
        assert!(line.starts_with(pointer) && line.contains(sentence), "{line}");
    }
}

#[test]
fn a_file_that_is_missing_or_no_toml_is_named() {
    let missing = Layers { files: vec!["/nonexistent/edgecam.toml".into()], ..Layers::default() };
    assert!(mistakes(&missing)[0].contains("/nonexistent/edgecam.toml"));
    let broken = file("[cameras.front\n");
    let lines = mistakes(&layers(&[&broken], &[], &[]));
    assert!(lines[0].contains(&broken.path().display().to_string()), "{lines:?}");
}

#[test]
fn a_camera_id_that_is_no_topic_level_is_refused_without_an_empty_origin() {
    let file = file("[cameras.\"Bad Id\"]\n");
    let lines = mistakes(&layers(&[&file], &[], &[]));
    assert!(lines[0].contains("1 to 32 lower case letters"), "{lines:?}");
    assert!(!lines[0].contains("set by )"), "{lines:?}");
}

#[test]
fn two_listeners_on_one_port_are_refused() {
    let lines = mistakes(&layers(&[], &[], &["api.listen=127.0.0.1:1883"]));
    assert!(lines.iter().any(|line| line.contains("1883")), "{lines:?}");
}

#[test]
fn a_zone_that_crosses_itself_and_a_line_without_length_are_refused() {
    let lines = mistakes(&layers(
        &[],
        &[],
        &[
            "cameras.cam.zones.bow.polygon=[[0.1,0.1],[0.9,0.9],[0.9,0.1],[0.1,0.9]]",
            "cameras.cam.lines.dot.from=[0.5,0.5]",
            "cameras.cam.lines.dot.to=[0.5,0.5]",
        ],
    ));
    assert!(lines.iter().any(|line| line.contains("/zones/bow")), "{lines:?}");
    assert!(lines.iter().any(|line| line.contains("/lines/dot")), "{lines:?}");
}

#[test]
fn no_secret_is_in_an_error_or_in_redacted_settings() {
    let wrong = layers(
        &[],
        &[],
        &["mqtt.url=http://me:s3cret@broker", "cameras.cam.source=ftp://me:s3cret@x"],
    );
    assert!(mistakes(&wrong).iter().all(|line| !line.contains("s3cret")));
    let right = layers(
        &[],
        &[],
        &[
            "mqtt.url=mqtt://broker",
            "mqtt.username=me",
            "mqtt.password=s3cret",
            "cameras.cam.source=rtsp://me:s3cret@camera/1",
        ],
    );
    let loaded = loaded(&right);
    let shown = format!("{:?}", edgecam_config::redact(&loaded.settings));
    assert!(!shown.contains("s3cret"), "{shown}");
    assert!(!format!("{:?}", loaded.config.mqtt).contains("s3cret"));
    assert!(!loaded.config.cameras[0].source.to_string().contains("s3cret"));
}

#[test]
fn zones_and_lines_say_whom_they_look_at_and_when() {
    let file = file(
        r#"
        [cameras.front.zones.yard]
        polygon = [[0.1, 0.1], [0.9, 0.1], [0.5, 0.9]]
        min_area = 0.01
        schedule = ["mon-fri 22:00-06:00"]
        crowding = { more_than = 3, after_s = 5 }

        [cameras.front.lines.gate]
        from = [0.1, 0.5]
        to = [0.9, 0.5]
        min_height = 0.2
        "#,
    );
    let config = loaded(&layers(&[&file], &[], &[])).config;
    let (zone, line) = (&config.cameras[0].zones[0], &config.cameras[0].lines[0]);
    assert_eq!(zone.scope.size.min_area, Some(0.01));
    assert!(zone.scope.is_active(domain::WeekMinute::new(5, 60)));
    assert!(!zone.scope.is_active(domain::WeekMinute::new(6, 60)));
    let crowding = zone.crowding.expect("crowding");
    assert_eq!((crowding.more_than, crowding.after), (3, std::time::Duration::from_secs(5)));
    assert_eq!(crowding.clear_after, crowding.after);
    assert_eq!((line.scope.size.min_height, &line.scope.schedule), (Some(0.2), &None));
}

#[test]
fn what_is_wrong_with_a_zone_or_line_is_told_in_its_place() {
    let file = file(
        r#"
        [cameras.front.zones.yard]
        polygon = [[0.1, 0.1], [0.9, 0.1], [0.5, 0.9]]
        min_area = 0.5
        max_area = 0.25
        schedule = ["daily 07:00-19:00", "mon-fri 7-19"]
        crowding = { after_s = -1.0 }

        [cameras.front.lines.gate]
        from = [0.1, 0.5]
        to = [0.9, 0.5]
        min_height = 2.0
        "#,
    );
    let mistakes = mistakes(&layers(&[&file], &[], &[]));
    let at = "/cameras/front";
    for (line, start) in mistakes.iter().zip([
        format!("{at}/lines/gate/min_height"),
        format!("{at}/zones/yard/crowding/after_s"),
        format!("{at}/zones/yard/crowding/more_than"),
        format!("{at}/zones/yard/min_area"),
        format!("{at}/zones/yard/schedule/1"),
    ]) {
        assert!(line.starts_with(&start), "{line}");
    }
    assert_eq!(mistakes.len(), 5, "{mistakes:#?}");
}
