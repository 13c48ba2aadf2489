//! Addresses that somebody might name to have the device ask what it should not.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use base::error::{ErrorKind, Kind};
use edgecam_egress::{Egress, EgressError, Limits, Reach};

/// None of these may be asked, from nowhere.
const NEVER: &[&str] = &[
    // The device itself, in every way to write it.
    "http://127.0.0.1/",
    "http://127.0.0.1:9997/v3/config/global/get",
    "http://127.1/",
    "http://127.0.1/",
    "http://127.255.255.254/",
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0x7f.0x0.0x0.0x1/",
    "http://017700000001/",
    "http://0177.0.0.1/",
    "http://①②⑦.⓪.⓪.①/",
    "http://127。0。0。1/",
    "http://%31%32%37.0.0.1/",
    "http://0/",
    "http://0.0.0.0:8080/",
    "http://[::]/",
    "http://[::1]/",
    "http://[0:0:0:0:0:0:0:1]:8443/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:7f00:1]/",
    "http://[::127.0.0.1]/",
    "http://[::ffff:0:127.0.0.1]/",
    "http://[64:ff9b::127.0.0.1]/",
    "http://[64:ff9b:1::7f00:1]/",
    "http://[2002:7f00:1::]/",
    "http://[2001:0:7f00:1::1]/",
    "http://localhost/",
    "http://localhost./",
    "http://LOCALHOST:8080/",
    "http://x.localhost./",
    // Neighbours on the wire, and metadata of clouds.
    "http://169.254.169.254/latest/meta-data/",
    "http://169.254.0.1/",
    "http://[::ffff:169.254.169.254]/",
    "http://[64:ff9b::a9fe:a9fe]/",
    "http://[fe80::1]/",
    "http://[febf::1]/",
    "http://[fd00:ec2::254]/latest/meta-data/",
    // Nobody in particular.
    "http://224.0.0.1/",
    "http://239.255.255.250:1900/",
    "http://[ff02::1]/",
    "http://255.255.255.255/",
    "http://240.0.0.1/",
    "http://192.0.2.1/",
    "http://198.18.0.1/",
    "http://[2001:db8::1]/",
    "http://[fec0::1]/",
    "http://[100::1]/",
    // Other schemes.
    "file:///etc/passwd",
    "ftp://example.org/a",
    "gopher://example.org:70/_x",
    "unix:/run/docker.sock",
    "data:text/plain,x",
    "javascript:alert(1)",
    "rtsp://example.org/x",
    "dict://127.0.0.1:11211/stat",
    // Addresses that one program reads differently from another.
    "http://example.org@127.0.0.1/",
    "http://user:secret@example.org/",
    "http://127.0.0.1\\@example.org/",
    "http://example.org\\.evil/",
    "http://exa mple.org/",
    "http://127.0.0.1\n.example.org/",
    "http://example.org\r\nHost: 127.0.0.1/",
    "http://example.org\0/",
    "http:///etc/passwd",
    "http:example.org",
    "//127.0.0.1/",
    "127.0.0.1",
    "http://",
    "http://[::1/",
    "http://example.org:0/",
    "http://example.org:99999/",
    "",
];

/// Quick to give up: what is asked here is refused before anything is sent.
const QUICK: Limits = Limits {
    bytes: 1000,
    connect: Duration::from_secs(5),
    whole: Duration::from_secs(5),
    redirects: 3,
};

fn ask(reach: Reach, text: &str) -> Result<u64, EgressError> {
    let egress = Egress::new(reach);
    egress.get(&egress.address(text)?, QUICK, &|| false, &mut Vec::new())
}

#[test]
fn what_a_stranger_should_not_have_asked_is_refused_before_anything_is_sent() {
    assert!(NEVER.len() >= 40);
    for text in NEVER {
        for reach in [Reach::Public, Reach::Lan] {
            let error = ask(reach, text).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{text}: {error:?}");
        }
    }
}

#[test]
fn home_is_refused_to_who_may_reach_the_internet_only() {
    for text in
        ["http://10.0.0.1/", "http://192.168.1.1/", "http://[fd12::1]/", "http://100.64.1.1"]
    {
        let egress = Egress::new(Reach::Public);
        assert!(matches!(egress.address(text), Err(EgressError::Refused { .. })), "{text}");
    }
    assert!(Egress::new(Reach::Lan).address("http://192.168.99.1/").is_ok());
}

#[test]
fn a_refusal_does_not_repeat_what_may_be_secret() {
    for text in ["http://user:s3cret@example.org/", "ftp://user:s3cret@h/", "http://s3cret\\@h/"] {
        let said = ask(Reach::Public, text).unwrap_err().to_string();
        assert!(!said.contains("s3cret"), "{said}");
    }
}

/// Answers each connection with the next of `answers`.
fn serve(answers: Vec<String>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    address
}

fn answer(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

#[test]
fn an_answer_is_fetched_up_to_its_limit_and_no_further() {
    let at = serve(vec![answer("abc"), answer(&"x".repeat(1001)), answer("abc")]);
    let egress = Egress::new(Reach::Anywhere);
    let address = egress.address(&format!("http://{at}/x")).unwrap();
    let mut kept = Vec::new();
    assert_eq!(egress.get(&address, QUICK, &|| false, &mut kept).unwrap(), 3);
    assert_eq!(kept, b"abc");
    let long = egress.get(&address, QUICK, &|| false, &mut Vec::new()).unwrap_err();
    assert!(matches!(long, EgressError::TooLong { limit: 1000, .. }), "{long:?}");
    let stopped = egress.get(&address, QUICK, &|| true, &mut Vec::new()).unwrap_err();
    assert!(matches!(stopped, EgressError::Stopped), "{stopped:?}");
}

#[test]
fn a_server_that_cannot_show_who_it_is_is_not_believed() {
    let at = serve(vec![answer("abc")]);
    let egress = Egress::new(Reach::Anywhere);
    let address = egress.address(&format!("https://{at}/x")).unwrap();
    let error = egress.get(&address, QUICK, &|| false, &mut Vec::new()).unwrap_err();
    assert!(matches!(error, EgressError::Failed { .. }), "{error:?}");
}

#[test]
fn a_redirect_is_followed_only_where_that_is_asked_for() {
    let at = serve(vec![answer("there")]);
    let moved = || {
        format!(
            "HTTP/1.1 302 Found\r\nConnection: close\r\nContent-Length: 0\r\nLocation: http://{at}/\r\n\r\n"
        )
    };
    let from = serve(vec![moved(), moved()]);
    let egress = Egress::new(Reach::Anywhere);
    let address = egress.address(&format!("http://{from}/x")).unwrap();
    let none = Limits { redirects: 0, ..QUICK };
    let refused = egress.get(&address, none, &|| false, &mut Vec::new()).unwrap_err();
    assert!(matches!(refused, EgressError::Status { status: 302, .. }), "{refused:?}");
    let mut kept = Vec::new();
    egress.get(&address, QUICK, &|| false, &mut kept).unwrap();
    assert_eq!(kept, b"there");
}
