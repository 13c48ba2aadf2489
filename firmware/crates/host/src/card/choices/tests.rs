//! What the file becomes, and what is said of one with mistakes.

use super::*;

const WHOLE: &str = r#"
host_name = "gate"
time_zone = "Europe/Berlin"
claim_hash = "sha256:9F86D081884C7D659A2FEAA0C55AD015A3BF4F1B2B0B822CD15D6C15B0F00A08"

[wifi]
ssid = "Home"
password = "c4nary-c4nary"
country = "DE"

[network]
address = "192.168.1.20/24"
gateway = "192.168.1.1"
dns = ["192.168.1.1", "9.9.9.9"]

[mqtt]
host = "broker.lan"
port = 8883
username = "gate"
password = "c4nary"
tls = true
"#;

fn wrong(text: &str) -> Vec<String> {
    let wrong = read(text.as_bytes(), "").unwrap_err();
    wrong.iter().map(ToString::to_string).collect()
}

#[test]
fn everything_that_can_be_chosen_becomes_settings() {
    let choices = read(WHOLE.as_bytes(), "").unwrap().unwrap();
    let settings: Table = choices.settings.parse().unwrap();
    let expected: Table = r#"
        [node]
        id = "gate"
        [time]
        zone = "Europe/Berlin"
        [network]
        wifi_country = "DE"
        [network.interfaces.wlan0.wifi]
        ssid = "Home"
        password = "c4nary-c4nary"
        [network.interfaces.end0]
        addresses = ["192.168.1.20/24"]
        gateways = ["192.168.1.1"]
        dns = ["192.168.1.1", "9.9.9.9"]
        [mqtt]
        url = "mqtts://broker.lan:8883"
        username = "gate"
        password = "c4nary"
    "#
    .parse()
    .unwrap();
    assert_eq!(settings, expected);
    assert!(choices.claim_hash.unwrap().starts_with("9f86d081"));
    assert!(choices.taken.contains(&"mqtt.password".to_owned()), "{:?}", choices.taken);
    // The daemon reads it as a file of settings.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("settings.toml");
    std::fs::write(&path, choices.settings).unwrap();
    config::load(&Layers { files: vec![path], ..Layers::default() }).unwrap();
}

#[test]
fn every_editor_is_understood_and_a_file_without_choices_is_none() {
    for text in ["", "# all of it is a comment\r\n", "\u{feff}# with a mark\r\n"] {
        assert_eq!(read(text.as_bytes(), "").unwrap(), None, "{text:?}");
    }
    let text = "\u{feff}[wifi]\r\nssid = \"Café\"\r\ncountry = \"DE\"\r\n";
    let choices = read(text.as_bytes(), "").unwrap().unwrap();
    assert!(choices.settings.contains("Café") && !choices.settings.contains("password"));
}

#[test]
fn all_mistakes_are_told_at_once_each_with_its_key_and_the_way_out() {
    let text = r#"
        hostname = "gate"
        host_name = "Front Gate"
        time_zone = "Berlin time"
        claim_hash = "K7QDM-3XA9T"
        [wifi]
        ssid = "Home"
        hidden = 5
        pasword = "c4nary-c4nary"
        password = "short"
        [mqtt]
        port = 70000
        tls = "yes"
        [network]
        address = "192.168.1.20"
    "#;
    let wrong = wrong(text);
    for (key, hint) in [
        ("hostname:", "is not known; there are host_name"),
        ("host_name:", "lower case"),
        ("time_zone:", "Europe/Berlin"),
        ("claim_hash:", "sha256sum"),
        ("wifi.hidden:", "true or false"),
        ("wifi.pasword:", "ssid, password, country"),
        ("wifi.password:", "8 to 63"),
        ("wifi.country:", "such as DE"),
        ("mqtt.host:", "must be given"),
        ("mqtt.port:", "65535"),
        ("mqtt.tls:", "true or false"),
        ("network.address:", "192.168.1.20/24"),
    ] {
        let told = wrong.iter().find(|one| one.starts_with(key));
        assert!(told.is_some_and(|one| one.contains(hint)), "{key} {hint} in {wrong:#?}");
    }
    let all = wrong.join("\n");
    assert!(!all.contains("c4nary") && !all.contains("K7QDM"), "{all}");
}

#[test]
fn a_file_that_cannot_be_read_is_told_by_its_line_without_the_line() {
    let wrong = wrong("[wifi]\nssid = \"Home\"\npassword = c4nary-c4nary\n");
    assert!(wrong[0].starts_with("line 3: is no TOML"), "{wrong:?}");
    assert!(!wrong[0].contains("c4nary"), "{wrong:?}");
    let utf16: Vec<u8> = "[wifi]".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let told = read(&[&[0xff, 0xfe], utf16.as_slice()].concat(), "").unwrap_err();
    assert!(told[0].to_string().contains("UTF-8"), "{told:?}");
    let told = read(&vec![b'#'; MOST + 1], "").unwrap_err();
    assert!(told[0].to_string().contains("at most"), "{told:?}");
    let told = read(b"wifi = \"Home\"\n", "").unwrap_err();
    assert!(told[0].to_string().contains("[wifi]"), "{told:?}");
}

#[test]
fn a_later_file_changes_the_sections_that_it_names_and_no_others() {
    let kept = read(WHOLE.as_bytes(), "").unwrap().unwrap().settings;
    let open = "[wifi]\nssid = \"Guests\"\ncountry = \"FR\"\n[network]\ninterface = \"wlan0\"\n\
                address = \"10.0.0.2/8\"\n";
    let settings: Table = read(open.as_bytes(), &kept).unwrap().unwrap().settings.parse().unwrap();
    let expected: Table = r#"
        wifi_country = "FR"
        [interfaces.wlan0]
        addresses = ["10.0.0.2/8"]
        [interfaces.wlan0.wifi]
        ssid = "Guests"
    "#
    .parse()
    .unwrap();
    assert_eq!(settings["network"], Value::Table(expected));
    assert_eq!(settings["mqtt"]["password"], Value::from("c4nary"));
}
