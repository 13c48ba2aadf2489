//! A bundle sent to the device, in parts that go on where the last one broke off.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::time::{Duration, Instant};

use api::updates::{UpdateCode, UpdateUpload};
use hyper::Method;
use hyper::body::Bytes;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::client::Client;
use crate::commands::say;
use crate::error::CliError;

/// Bytes of a part.
const PART: u64 = 8 << 20;
/// Time between two tries.
const AGAIN: Duration = Duration::from_secs(1);
/// Without a byte of progress for so long it is given up.
const PATIENCE: Duration = Duration::from_secs(120);

/// Sends the bundle at `path`, which must have the SHA-256 `wanted`, and answers with its SHA-256. It is
/// staged then.
pub(super) async fn send(
    client: &Client,
    path: &Path,
    wanted: &Option<String>,
) -> Result<String, CliError> {
    let unread = |source| CliError::File { path: path.to_owned(), what: "read", source };
    let mut file = File::open(path).map_err(unread)?;
    let (size, sha256) = measured(&mut file).map_err(unread)?;
    if let Some(wanted) = wanted.as_ref().filter(|wanted| !wanted.eq_ignore_ascii_case(&sha256)) {
        let other = format!("it has the SHA-256 {sha256}, not {wanted}");
        return Err(unread(io::Error::new(io::ErrorKind::InvalidData, other)));
    }
    let new = json!({ "size_bytes": size, "sha256": sha256 });
    let upload = client.ask(Method::POST, "updates/uploads", Some(&new)).await?;
    let at = format!("updates/uploads/{}", upload["id"].as_str().unwrap_or_default());
    let (mut offset, mut told, mut moved) = (0, 0, Instant::now());
    while offset < size {
        let part = part(&mut file, offset).map_err(unread)?;
        let before = offset;
        match client.go_on(&at, offset, part).await {
            Ok(now) => offset = now,
            Err(error) if may_pass(&error) && moved.elapsed() < PATIENCE => {
                tokio::time::sleep(AGAIN).await;
                offset = here(client, &at, &sha256, size).await?.unwrap_or(offset);
            }
            Err(error) => return Err(error),
        }
        if offset > before {
            moved = Instant::now();
        }
        let percent = offset * 100 / size;
        if percent >= told + 10 || offset == size && told < 100 {
            say(&format!("sent {percent} %"))?;
            told = percent;
        }
    }
    Ok(sha256)
}

/// Its length and SHA-256, in one go through.
fn measured(file: &mut File) -> io::Result<(u64, String)> {
    let (mut hash, mut size, mut buffer) = (Sha256::new(), 0, vec![0; 1 << 20]);
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            read => {
                hash.update(&buffer[..read]);
                size += read as u64;
            }
        }
    }
    Ok((size, hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()))
}

fn part(file: &mut File, offset: u64) -> io::Result<Bytes> {
    let mut part = Vec::new();
    file.seek(SeekFrom::Start(offset))?;
    file.take(PART).read_to_end(&mut part)?;
    Ok(part.into())
}

/// Whether it may go on after `error`: a lost connection, a device that is not ready, another offset.
fn may_pass(error: &CliError) -> bool {
    match error {
        CliError::Connect { .. } | CliError::Broken { .. } => true,
        CliError::Refused(problem) => {
            [408, 429, 502, 503, 504].contains(&problem.status) || is(problem.code.as_str())
        }
        _ => false,
    }
}

/// Whether `code` says that it goes on elsewhere.
fn is(code: &str) -> bool {
    serde_json::to_value(UpdateCode::WrongOffset).is_ok_and(|word| word == code)
}

/// How far the upload is; `None`: the device does not answer.
async fn here(client: &Client, at: &str, sha256: &str, size: u64) -> Result<Option<u64>, CliError> {
    match client.get(at).await {
        Ok(upload) => {
            let upload = serde_json::from_value::<UpdateUpload>(upload);
            Ok(upload.ok().map(|upload| upload.offset))
        }
        // Its last byte came, and the answer to it was lost: what became of it is told elsewhere.
        Err(CliError::Refused(problem)) if problem.status == 404 => {
            let updates: Value = client.get("updates").await?;
            let staged = updates["phase"] == "staged" && updates["update"]["sha256"] == sha256;
            let why = updates["problem"]["detail"].as_str();
            match why.map(str::to_owned) {
                _ if staged => Ok(Some(size)),
                Some(why) => Err(CliError::CameToNothing(why)),
                None => Err(CliError::Refused(problem)),
            }
        }
        Err(error) if may_pass(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
    use tokio::net::{TcpListener, TcpStream};
    use url::Url;

    use super::*;
    use crate::client::Caller;
    use crate::trust::Trust;

    /// What a device has of an upload, and how many of its answers to parts it still loses.
    #[derive(Debug, Default)]
    struct Device {
        size: u64,
        got: Vec<u8>,
        loses: u32,
    }

    /// A device that loses the connection in the middle of `loses` parts.
    async fn device(loses: u32) -> (Client, Arc<Mutex<Device>>) {
        let device = Arc::new(Mutex::new(Device { loses, ..Device::default() }));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let shared = Arc::clone(&device);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                serve(stream, &shared).await;
            }
        });
        (Client::new(url, Caller::Nobody, Trust::System), device)
    }

    /// One request; answered, unless it is to be lost.
    async fn serve(stream: TcpStream, device: &Mutex<Device>) {
        let mut stream = BufReader::new(stream);
        let (mut head, mut length, mut offset) = (String::new(), 0, 0);
        stream.read_line(&mut head).await.unwrap();
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).await.unwrap();
            let Some((name, value)) = line.trim().split_once(": ") else { break };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.parse().unwrap(),
                "upload-offset" => offset = value.parse::<usize>().unwrap(),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.unwrap();
        let answer = {
            let mut device = device.lock().unwrap();
            match head.split(' ').next().unwrap_or_default() {
                "POST" => {
                    let new: Value = serde_json::from_slice(&body).unwrap();
                    device.size = new["size_bytes"].as_u64().unwrap();
                }
                "PATCH" => {
                    assert_eq!(offset, device.got.len(), "it goes on where it broke off");
                    if device.loses > 0 {
                        device.loses -= 1;
                        let half = body.len() / 2;
                        device.got.extend_from_slice(&body[..half]);
                        return;
                    }
                    device.got.extend_from_slice(&body);
                }
                _ => {}
            }
            let upload = UpdateUpload {
                id: "1".to_owned(),
                size_bytes: device.size,
                offset: device.got.len() as u64,
                ..UpdateUpload::default()
            };
            let body = serde_json::to_string(&upload).unwrap();
            let head =
                format!("Upload-Offset: {}\r\nContent-Length: {}", upload.offset, body.len());
            format!("HTTP/1.1 200 OK\r\n{head}\r\nConnection: close\r\n\r\n{body}")
        };
        stream.write_all(answer.as_bytes()).await.unwrap();
    }

    #[tokio::test]
    async fn a_bundle_arrives_whole_though_the_connection_breaks_in_the_middle() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bundle.raucb");
        let bundle: Vec<u8> = (0..PART + 4711).map(|at| (at % 251) as u8).collect();
        std::fs::write(&path, &bundle).unwrap();
        let (client, device) = device(1).await;
        let sha256 = send(&client, &path, &None).await.unwrap();
        assert!(device.lock().unwrap().got == bundle);
        let hash: String = Sha256::digest(&bundle).iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(sha256, hash);
    }

    #[tokio::test]
    async fn a_bundle_with_another_hash_than_was_wanted_is_not_sent() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bundle.raucb");
        std::fs::write(&path, "something else").unwrap();
        let (client, device) = device(0).await;
        let error = send(&client, &path, &Some("00".repeat(32))).await.unwrap_err();
        assert!(matches!(error, CliError::File { .. }), "{error}");
        assert_eq!(device.lock().unwrap().size, 0);
    }
}
