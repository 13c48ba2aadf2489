//! `GET /cameras` with a token, against a bare axum in the same run.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use crate::bare::Bare;
use crate::client::{Connection, Question};
use crate::harness::Setup;
use crate::harness::measure::quantile;

/// Connections that ask at a time.
const CONNECTIONS: u32 = 16;
/// Rounds of which the median is printed; the servers take turns.
const ROUNDS: usize = 5;
/// How long a round takes.
const ROUND: Duration = Duration::from_secs(3);
/// How long half the load is kept up.
const HALF: Duration = Duration::from_secs(10);

/// Measures and prints.
pub(crate) fn measure(runtime: &Runtime) -> io::Result<()> {
    let edgecam = Setup::new().set("cameras.cam.enabled=false").start();
    let bare = Bare::start()?;
    let hello = Question { server: bare.address, path: "/".into(), token: None };
    let cameras = Question {
        server: edgecam.at().api,
        path: "/api/v1/cameras".into(),
        token: Some(edgecam.token()),
    };
    runtime.block_on(async {
        let (mut bare, mut api) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            bare.push(per_second(&hello).await?);
            api.push(per_second(&cameras).await?);
        }
        let (bare, api) = (median(bare), median(api));
        writeln!(
            io::stdout(),
            "bench authenticated GET /cameras {api:.0}/s, bare axum hello {bare:.0}/s, ratio {:.2} \
             ({CONNECTIONS} connections, median of {ROUNDS} rounds)",
            api / bare
        )?;
        let times = at_rate(&cameras, api / 2.0).await?;
        writeln!(
            io::stdout(),
            "bench authenticated GET /cameras at half load p50 {:.2} ms p99 {:.2} ms ({} requests)",
            quantile(&times, 0.5).as_secs_f64() * 1000.0,
            quantile(&times, 0.99).as_secs_f64() * 1000.0,
            times.len()
        )
    })
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

/// Answers per second when each connection asks as soon as it has its answer.
async fn per_second(question: &Question) -> io::Result<f64> {
    let mut asking = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let mut connection = Connection::open(question.clone()).await?;
        asking.spawn(async move {
            let (begun, mut count) = (Instant::now(), 0_u32);
            while begun.elapsed() < ROUND {
                connection.ask().await?;
                count += 1;
            }
            io::Result::Ok(f64::from(count) / begun.elapsed().as_secs_f64())
        });
    }
    let rates: Result<Vec<_>, _> = asking.join_all().await.into_iter().collect();
    Ok(rates?.iter().sum())
}

/// Times of answers when `rate` are asked for per second, each from when it should have been asked: a
/// server that stalls is charged for those that had to wait.
async fn at_rate(question: &Question, rate: f64) -> io::Result<Vec<Duration>> {
    let pause = Duration::from_secs_f64(f64::from(CONNECTIONS) / rate);
    let mut asking = JoinSet::new();
    for number in 0..CONNECTIONS {
        let mut connection = Connection::open(question.clone()).await?;
        asking.spawn(async move {
            let begun = Instant::now() + pause * number / CONNECTIONS;
            let (mut times, mut due) = (Vec::new(), begun);
            while due < begun + HALF {
                tokio::time::sleep_until(due.into()).await;
                connection.ask().await?;
                times.push(due.elapsed());
                due += pause;
            }
            io::Result::Ok(times)
        });
    }
    let times: Result<Vec<_>, _> = asking.join_all().await.into_iter().collect();
    Ok(times?.concat())
}
