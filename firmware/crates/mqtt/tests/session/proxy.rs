//! A TCP proxy between session and broker that does harm by plan: refuses connections, cuts them,
//! eats acknowledgements, goes silent. Seeded: the same plan does the same harm.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What harm to do, each as a share of 1.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    /// Connections that are closed at once.
    pub(crate) refuse: f64,
    /// Acknowledgements that do not arrive.
    pub(crate) eat: f64,
    /// Packets from the broker after which the connection is cut.
    pub(crate) cut: f64,
}

#[derive(Debug, Default)]
pub(crate) struct Harm {
    pub(crate) connections: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) eaten: AtomicU64,
    pub(crate) cut: AtomicU64,
    silent: AtomicBool,
}

impl Harm {
    pub(crate) fn faults(&self) -> u64 {
        [&self.refused, &self.eaten, &self.cut].map(|n| n.load(Ordering::Relaxed)).iter().sum()
    }
}

pub(crate) struct Proxy {
    address: SocketAddr,
    harm: Arc<Harm>,
    task: JoinHandle<()>,
}

impl Proxy {
    pub(crate) async fn start(broker: SocketAddr, plan: Plan) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let harm = Arc::new(Harm::default());
        let shared = Arc::clone(&harm);
        let task = tokio::spawn(async move {
            let mut random = fastrand::Rng::with_seed(plan.seed);
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let (client, _) = listener.accept().await.unwrap();
                shared.connections.fetch_add(1, Ordering::Relaxed);
                if random.f64() < plan.refuse {
                    shared.refused.fetch_add(1, Ordering::Relaxed);
                    continue;
                }
                let (random, harm) = (random.fork(), Arc::clone(&shared));
                connections.spawn(async move {
                    // An error is the end of a connection, as everything is here.
                    let _ = connection(client, broker, plan, random, &harm).await;
                });
            }
        });
        Self { address, harm, task }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn harm(&self) -> &Harm {
        &self.harm
    }

    /// From now on nothing passes, and nobody is told.
    pub(crate) fn go_silent(&self) {
        self.harm.silent.store(true, Ordering::Relaxed);
    }

    /// The end of [`Self::go_silent`], for new connections.
    pub(crate) fn speak(&self) {
        self.harm.silent.store(false, Ordering::Relaxed);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn connection(
    client: TcpStream,
    broker: SocketAddr,
    plan: Plan,
    random: fastrand::Rng,
    harm: &Harm,
) -> std::io::Result<()> {
    let broker = TcpStream::connect(broker).await?;
    client.set_nodelay(true)?;
    broker.set_nodelay(true)?;
    let (client_reads, client_writes) = client.into_split();
    let (broker_reads, broker_writes) = broker.into_split();
    tokio::select! {
        result = up(client_reads, broker_writes, harm) => result,
        result = down(broker_reads, client_writes, plan, random, harm) => result,
    }
}

async fn up(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, harm: &Harm) -> std::io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = from.read(&mut buffer).await?;
        if read == 0 {
            return Ok(());
        }
        if !harm.silent.load(Ordering::Relaxed) {
            to.write_all(&buffer[..read]).await?;
        }
    }
}

async fn down(
    from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    plan: Plan,
    mut random: fastrand::Rng,
    harm: &Harm,
) -> std::io::Result<()> {
    const PUBACK: u8 = 4;
    let mut from = tokio::io::BufReader::new(from);
    loop {
        let packet = packet(&mut from).await?;
        if harm.silent.load(Ordering::Relaxed) {
            continue;
        }
        if packet[0] >> 4 == PUBACK && random.f64() < plan.eat {
            harm.eaten.fetch_add(1, Ordering::Relaxed);
            continue;
        }
        to.write_all(&packet).await?;
        if random.f64() < plan.cut {
            harm.cut.fetch_add(1, Ordering::Relaxed);
            return Ok(());
        }
    }
}

/// One MQTT packet: a byte of type, its length in groups of 7 bits, the rest.
async fn packet(from: &mut (impl AsyncReadExt + Unpin)) -> std::io::Result<Vec<u8>> {
    let mut packet = vec![from.read_u8().await?];
    let (mut length, mut shift) = (0_usize, 0);
    loop {
        let byte = from.read_u8().await?;
        packet.push(byte);
        length |= usize::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            break;
        }
    }
    let header = packet.len();
    packet.resize(header + length, 0);
    from.read_exact(&mut packet[header..]).await?;
    Ok(packet)
}
