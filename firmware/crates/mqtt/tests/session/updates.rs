//! Updates of the firmware: shown to Home Assistant, and ordered by it.

use edgecam_mqtt::{Command, Firmware};
use serde_json::Value;

use crate::broker::Broker;
use crate::subscriber::{DEADLINE, Subscriber, kept};
use crate::support::Running;

const UPDATE: &str = "edgecam/ec-test/update";
const SET: &str = "edgecam/ec-test/update/set";
const DISCOVERY: &str = "homeassistant/device/edgecam_ec_test/config";

fn firmware(percentage: Option<u8>) -> Firmware {
    Firmware {
        title: "EdgeCam".to_owned(),
        installed_version: "0.4.0".to_owned(),
        latest_version: "0.5.0".to_owned(),
        in_progress: percentage.is_some(),
        update_percentage: percentage,
        ..Firmware::default()
    }
}

#[tokio::test]
async fn an_update_is_shown_as_it_goes_and_is_gone_where_there_can_be_none() {
    let broker = Broker::start();
    let session = Running::start(broker.address());
    session.until(|status| status.is_connected()).await;
    let mut subscriber = Subscriber::start(broker.address(), "#").await;
    for percentage in [None, Some(40), Some(41)] {
        session.handle.set_firmware(Some(firmware(percentage)));
        let payload = serde_json::to_string(&firmware(percentage)).unwrap();
        subscriber.until_last(UPDATE, &payload).await;
    }
    assert!(kept(broker.address(), UPDATE).await.contains_key(UPDATE));
    let announced = |wanted: bool| {
        move |messages: &[crate::subscriber::Message]| {
            let last = messages.iter().rev().find(|message| message.topic == DISCOVERY);
            let payload = last.map(|message| message.text()).unwrap_or_default();
            let payload: Value = serde_json::from_str(&payload).unwrap_or_default();
            payload["cmps"]["firmware"]["cmd_t"].is_string() == wanted
        }
    };
    subscriber.until(announced(true)).await;
    session.handle.set_firmware(None);
    subscriber.until_last(UPDATE, "").await;
    subscriber.until(announced(false)).await;
    session.stop().await;
}

#[tokio::test]
async fn install_is_obeyed_once_and_neither_what_was_kept_nor_what_is_no_command() {
    let broker = Broker::start();
    let subscriber = Subscriber::start(broker.address(), SET).await;
    // Of yesterday.
    subscriber.publish(SET, true, "install").await;
    let mut session = Running::start(broker.address());
    session.until(|status| status.is_connected()).await;
    let mut watching = Subscriber::start(broker.address(), "edgecam/ec-test/#").await;
    watching.until_last("edgecam/ec-test/availability", "online").await;
    subscriber.publish(SET, false, "explode").await;
    subscriber.publish(SET, false, "install").await;
    let command = tokio::time::timeout(DEADLINE, session.commands.recv()).await.unwrap();
    assert_eq!(command, Some(Command::InstallUpdate));
    // What comes after it in order shows that nothing else was obeyed.
    subscriber.publish(SET, false, "install").await;
    let command = tokio::time::timeout(DEADLINE, session.commands.recv()).await.unwrap();
    assert_eq!(command, Some(Command::InstallUpdate));
    assert!(session.commands.try_recv().is_err());
    session.stop().await;
}
