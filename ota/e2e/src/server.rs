//! A web server of the owner, in parts and whole, which counts what it sends.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context as _;
use hyper::Request;
use hyper::body::Incoming;
use hyper::header::CONTENT_LENGTH;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tower_http::services::ServeDir;

use crate::image::Image;

/// This host, as a machine in QEMU calls it.
pub const HOST: &str = "10.0.2.2";

/// A server of all that was built; gone when it is dropped.
#[derive(Debug)]
pub struct Server {
    port: u16,
    sent: Arc<AtomicU64>,
    _runtime: Runtime,
}

impl Server {
    /// Starts it.
    ///
    /// # Errors
    /// When it has no port.
    pub fn start(image: &Image) -> anyhow::Result<Self> {
        let sent: Arc<AtomicU64> = Arc::default();
        let runtime = Runtime::new()?;
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
        let port = listener.local_addr()?.port();
        let (files, counted) = (ServeDir::new(image.file("")), sent.clone());
        runtime.spawn(async move {
            while let Ok((line, _)) = listener.accept().await {
                tokio::spawn(serve(line, files.clone(), counted.clone()));
            }
        });
        Ok(Self { port, sent, _runtime: runtime })
    }

    /// Where the machine finds a file of the build.
    pub fn url(&self, file: &str) -> String {
        format!("http://{HOST}:{}/{file}", self.port)
    }

    /// Which share of `file` was sent since it was last asked, 0..=1, of all that was sent.
    ///
    /// # Errors
    /// When there is no such file.
    pub fn share_sent(&self, image: &Image, file: &str) -> anyhow::Result<f64> {
        let whole = std::fs::metadata(image.file(file)).with_context(|| file.to_owned())?.len();
        Ok(self.sent.swap(0, Ordering::Relaxed) as f64 / whole as f64)
    }
}

async fn serve(line: TcpStream, files: ServeDir, counted: Arc<AtomicU64>) {
    let service = service_fn(move |request: Request<Incoming>| {
        let (mut files, counted) = (files.clone(), counted.clone());
        async move {
            let answer = files.try_call(request).await?;
            let length = answer.headers().get(CONTENT_LENGTH);
            let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
            counted.fetch_add(length.unwrap_or(0), Ordering::Relaxed);
            Ok::<_, std::io::Error>(answer)
        }
    });
    // A machine whose power is cut leaves in the middle of an answer.
    drop(http1::Builder::new().serve_connection(TokioIo::new(line), service).await);
}
