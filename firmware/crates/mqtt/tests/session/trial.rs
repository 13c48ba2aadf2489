//! A try of a broker names the step that fails.

use std::time::Duration;

use api::mqtt::{MqttStep, MqttTrial};
use config::MqttConfig;
use edgecam_mqtt::trial;

use crate::broker::Broker;
use crate::support::config;
use crate::tls;

const WITHIN: Duration = Duration::from_secs(3);

async fn of(config: &MqttConfig) -> MqttTrial {
    trial::trial(config, "ec-test", WITHIN).await
}

/// The step that failed, and why; those before it went well.
#[track_caller]
fn failed(trial: &MqttTrial) -> (MqttStep, String) {
    let (last, before) = trial.steps.split_last().unwrap();
    assert!(before.iter().all(|step| step.ok && step.error.is_none()), "{trial:?}");
    assert!(!trial.ok && !last.ok, "{trial:?}");
    (last.step, last.error.clone().unwrap())
}

#[tokio::test]
async fn a_good_broker_passes_every_step_with_tls_and_without() {
    let broker = Broker::start();
    let trial = of(&config(broker.address())).await;
    let steps: Vec<_> = trial.steps.iter().map(|step| step.step).collect();
    use MqttStep::{Connect, Publish, Receive, Resolve, SignIn, Tls};
    assert_eq!(steps, [Resolve, Connect, SignIn, Publish, Receive], "{trial:?}");
    assert!(trial.ok && trial.steps.iter().all(|step| step.ok), "{trial:?}");
    assert_eq!(trial.topic, "edgecam/test");

    let broker = Broker::with(tls::LINES, tls::make_certificates);
    let trial = of(&tls::secure(&broker, broker.dir())).await;
    assert!(trial.ok && trial.steps[2].step == Tls, "{trial:?}");
    assert!(trial.broker.starts_with("mqtts://localhost:"));
}

#[tokio::test]
async fn what_fails_is_named_with_its_reason_and_no_secret() {
    let mut nowhere = config("127.0.0.1:9".parse().unwrap());
    let (step, why) = failed(&of(&nowhere).await);
    assert_eq!(step, MqttStep::Connect);
    assert!(why.contains("127.0.0.1:9"), "{why}");

    let url = "mqtt://me:c4nary@no-such-host.invalid".parse().unwrap();
    nowhere.broker = config::model::Broker::Remote(url);
    let trial = of(&nowhere).await;
    assert_eq!(failed(&trial).0, MqttStep::Resolve);
    assert!(!format!("{trial:?}").contains("c4nary"), "{trial:?}");

    let broker = Broker::with("allow_anonymous false\n", |_| {});
    let mut stranger = config(broker.address());
    stranger.credentials = Some(("me".to_owned(), "c4nary".to_owned()));
    let trial = of(&stranger).await;
    let (step, why) = failed(&trial);
    assert_eq!(step, MqttStep::SignIn);
    assert!(why.contains("refused the user name or password"), "{why}");
    assert!(!format!("{trial:?}").contains("c4nary"));
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_fails_at_tls() {
    let broker = Broker::with(tls::LINES, tls::make_certificates);
    let other = tempfile::tempdir().unwrap();
    tls::make_certificates(other.path());
    let fitting = tls::secure(&broker, broker.dir());
    let strange = MqttConfig { ca_file: Some(other.path().join("ca.pem")), ..fitting };
    let (step, why) = failed(&of(&strange).await);
    assert_eq!(step, MqttStep::Tls);
    assert!(why.contains("certificate"), "{why}");
}

#[tokio::test]
async fn a_topic_that_may_not_be_written_is_told_with_what_may_be_why() {
    let broker = Broker::with("allow_anonymous true\nacl_file DIR/acl\n", |dir| {
        std::fs::write(dir.join("acl"), "topic read edgecam/#\n").unwrap();
    });
    let (step, why) = failed(&of(&config(broker.address())).await);
    // MQTT 3.1.1 cannot refuse a message: a broker takes it and throws it away, or hangs up.
    assert!(matches!(step, MqttStep::Publish | MqttStep::Receive), "{step:?}");
    assert!(why.contains("access list"), "{why}");
}
