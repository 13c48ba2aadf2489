//! A try of a broker: step by step, as a client of its own, so that the session goes on beside it. Tells
//! which step failed and why.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use api::mqtt::{MqttStep, MqttStepResult, MqttTrial};
use config::MqttConfig;
use config::model::Broker;
use rumqttc::{
    AsyncClient, Event, EventLoop, MqttOptions, NetworkOptions, Packet, QoS, SubscribeReasonCode,
};
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;

use crate::connect::{self, Address};
use crate::error::MqttError;

/// Packets that wait in the client: a subscription, a message, a farewell.
const QUEUE: usize = 4;

/// Tries the broker of `config`, within `within` in all. A name in `id` tells the client from others.
pub async fn trial(config: &MqttConfig, id: &str, within: Duration) -> MqttTrial {
    let topic = format!("{}/test", config.prefix.trim_matches('/'));
    let mut trial = Trial { steps: Vec::new(), deadline: Instant::now() + within };
    let ok = trial.run(config, id, &topic).await.is_some();
    MqttTrial { ok, broker: shown(&config.broker), topic, steps: trial.steps }
}

/// The broker's address, without credentials.
pub fn shown(broker: &Broker) -> String {
    match broker {
        Broker::Supervised(address) => format!("mqtt://{address}"),
        Broker::Remote(url) => {
            let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
            format!("{}://{}{port}", url.scheme(), url.host_str().unwrap_or_default())
        }
    }
}

struct Trial {
    steps: Vec<MqttStepResult>,
    deadline: Instant,
}

/// Why a step failed, in words.
type Failed = String;

impl Trial {
    /// All steps; `None`: one of them failed.
    async fn run(&mut self, config: &MqttConfig, id: &str, topic: &str) -> Option<()> {
        let address = Address::of(&config.broker);
        let found = self.step(MqttStep::Resolve, resolve(&address)).await?;
        let address = address.ok()?;
        let stream = self.step(MqttStep::Connect, connect(&found)).await?;
        if address.is_tls() {
            self.step(MqttStep::Tls, handshake(config, &address, stream)).await?;
        } else {
            drop(stream);
        }
        let options = options(config, &address, id).map_err(|error| words(&error));
        let (client, mut events) = match options {
            Ok(options) => client(options),
            Err(error) => return self.step(MqttStep::SignIn, async { Err(error) }).await,
        };
        self.step(MqttStep::SignIn, sign_in(&mut events, &address)).await?;
        // A message that nobody else sends.
        let message = format!("{id} {:016x}", fastrand::u64(..));
        let publishing = publish(&client, &mut events, &address, topic, &message);
        let came = self.step(MqttStep::Publish, publishing).await?;
        let receiving = receive(&mut events, &address, topic, &message, came);
        self.step(MqttStep::Receive, receiving).await?;
        // Takes leave, as far as time allows; it has been found good.
        let _ = client.try_disconnect();
        let farewell = async { while events.poll().await.is_ok() {} };
        let _ = tokio::time::timeout(Duration::from_millis(200), farewell).await;
        Some(())
    }

    /// Makes a step, and keeps what came of it.
    async fn step<T>(
        &mut self,
        step: MqttStep,
        doing: impl Future<Output = Result<T, Failed>>,
    ) -> Option<T> {
        let begun = Instant::now();
        let result = tokio::time::timeout_at(self.deadline.into(), doing).await;
        let result = result.unwrap_or_else(|_| Err(patience(step).to_owned()));
        let (done, error) = match result {
            Ok(done) => (Some(done), None),
            Err(error) => (None, Some(error)),
        };
        let duration_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.steps.push(MqttStepResult { step, ok: error.is_none(), duration_ms, error });
        done
    }
}

/// What it means when a step does not end.
fn patience(step: MqttStep) -> &'static str {
    match step {
        MqttStep::Resolve => "the name server does not answer",
        MqttStep::Connect => "nobody answers at this address; a firewall may be in the way",
        MqttStep::Tls => "no answer to the greeting of TLS; the port may be one without TLS",
        MqttStep::SignIn => "no answer; the port may be one with TLS, or of something else",
        MqttStep::Publish => "the broker did not acknowledge the message",
        MqttStep::Receive => {
            "the broker took the message and did not hand it back; its access list may forbid to \
             write or to read this topic"
        }
    }
}

fn words(error: &MqttError) -> Failed {
    base::error::chain(error)
}

async fn resolve(address: &Result<Address, MqttError>) -> Result<Vec<SocketAddr>, Failed> {
    let address = address.as_ref().map_err(words)?;
    let found = tokio::net::lookup_host((address.host(), address.port())).await;
    let found: Vec<_> = found.map_err(|error| format!("{address}: {error}"))?.collect();
    if found.is_empty() { Err(format!("{address} has no address")) } else { Ok(found) }
}

async fn connect(found: &[SocketAddr]) -> Result<TcpStream, Failed> {
    let stream = TcpStream::connect(found).await;
    stream.map_err(|error| {
        let tried: Vec<_> = found.iter().map(SocketAddr::to_string).collect();
        format!("{}: {error}", tried.join(", "))
    })
}

async fn handshake(
    config: &MqttConfig,
    address: &Address,
    stream: TcpStream,
) -> Result<(), Failed> {
    let tls = connect::tls(config).map_err(|error| words(&error))?;
    let name = ServerName::try_from(address.host().to_owned());
    let name = name.map_err(|error| format!("{}: {error}", address.host()))?;
    let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(tls));
    connector.connect(name, stream).await.map(drop).map_err(|error| error.to_string())
}

/// The options of a client of its own, without a last will: its end is nobody's business.
fn options(config: &MqttConfig, address: &Address, id: &str) -> Result<MqttOptions, MqttError> {
    let client_id = format!("edgecam-test-{id}-{:08x}", fastrand::u32(..));
    connect::plain_options(config, address, client_id)
}

fn client(options: MqttOptions) -> (AsyncClient, EventLoop) {
    let (client, mut events) = AsyncClient::new(options, QUEUE);
    let mut network = NetworkOptions::new();
    network.set_tcp_nodelay(true);
    events.set_network_options(network);
    (client, events)
}

/// The next thing that happens on the connection.
async fn next(events: &mut EventLoop, address: &Address) -> Result<Event, Failed> {
    events.poll().await.map_err(|error| words(&connect::explain(error, address)))
}

async fn sign_in(events: &mut EventLoop, address: &Address) -> Result<(), Failed> {
    loop {
        if let Event::Incoming(Packet::ConnAck(_)) = next(events, address).await? {
            return Ok(());
        }
    }
}

/// Some brokers close the connection on who writes what they may not, at once or after they took it.
fn hung_up(error: &str) -> Failed {
    format!("{error}; the broker's access list may be why")
}

/// Subscribes and publishes; whether the message came back already.
async fn publish(
    client: &AsyncClient,
    events: &mut EventLoop,
    address: &Address,
    topic: &str,
    message: &str,
) -> Result<bool, Failed> {
    let full = |_| words(&MqttError::ClientFull);
    client.try_subscribe(topic, QoS::AtLeastOnce).map_err(full)?;
    client.try_publish(topic, QoS::AtLeastOnce, false, message).map_err(full)?;
    let mut came = false;
    loop {
        match next(events, address).await.map_err(|error| hung_up(&error))? {
            Event::Incoming(Packet::SubAck(ack))
                if ack.return_codes.contains(&SubscribeReasonCode::Failure) =>
            {
                return Err(format!("the broker's access list forbids to read {topic}"));
            }
            Event::Incoming(Packet::Publish(got)) if is(&got, topic, message) => came = true,
            Event::Incoming(Packet::PubAck(_)) => return Ok(came),
            _ => {}
        }
    }
}

async fn receive(
    events: &mut EventLoop,
    address: &Address,
    topic: &str,
    message: &str,
    mut came: bool,
) -> Result<(), Failed> {
    while !came {
        if let Event::Incoming(Packet::Publish(got)) =
            next(events, address).await.map_err(|error| hung_up(&error))?
        {
            came = is(&got, topic, message);
        }
    }
    Ok(())
}

fn is(got: &rumqttc::Publish, topic: &str, message: &str) -> bool {
    got.topic == topic && got.payload == message.as_bytes()
}
