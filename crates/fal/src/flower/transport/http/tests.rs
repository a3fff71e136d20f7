use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Mutex;
use std::thread;

use experiment::interrupt::Interrupt;
use experiment::seed::Seed;

use super::super::{RetryPolicy, Retrying};
use super::*;
use crate::flower::Event;

/// What a server saw of a request.
#[derive(Clone, Debug, Default)]
struct Seen {
    line: String,
    headers: Vec<String>,
    body: Vec<u8>,
}

/// A server that answers one connection after the other with these bytes, and its address.
fn serve(answers: Vec<Vec<u8>>) -> (String, thread::JoinHandle<Vec<Seen>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let server = thread::spawn(move || {
        let answer = |answer: Vec<u8>| {
            let (mut stream, _) = listener.accept().unwrap();
            let seen = read_request(&mut stream);
            stream.write_all(&answer).unwrap();
            seen
        };
        answers.into_iter().map(answer).collect()
    });
    (address, server)
}

fn read_request(stream: &mut TcpStream) -> Seen {
    let mut reader = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let length = lines.iter().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.unwrap().parse().unwrap()];
    reader.read_exact(&mut body).unwrap();
    Seen { line: lines.remove(0), headers: lines, body }
}

fn response(status: &str, body: &[u8]) -> Vec<u8> {
    let head =
        format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

fn transport(address: &str) -> HttpTransport {
    let identity = Identity::generate().unwrap();
    HttpTransport::new(address, &Security::Insecure, identity, Duration::from_secs(5)).unwrap()
}

fn failure(answer: Vec<u8>) -> TransportError {
    let (address, server) = serve(vec![answer]);
    let failure = transport(&address).call(Method::PullMessages, b"ask").unwrap_err();
    server.join().unwrap();
    failure
}

#[test]
fn calls_are_signed_posts_of_protobuf() {
    let (address, server) = serve(vec![response("200 OK", b"answer")]);
    let transport = transport(&address);
    assert_eq!(transport.call(Method::PushObject, b"\x01\x00").unwrap(), b"answer");
    let seen = server.join().unwrap().remove(0);
    assert_eq!(seen.line, "POST /v1/fleet/push-object HTTP/1.1");
    assert_eq!(seen.body, b"\x01\x00");
    for header in [PUBLIC_KEY_HEADER, TIMESTAMP_HEADER, SIGNATURE_HEADER] {
        let count = seen.headers.iter().filter(|line| line.starts_with(header)).count();
        assert_eq!(count, 1, "{header}");
    }
    assert!(seen.headers.contains(&format!("content-type: {MEDIA_TYPE}")), "{seen:?}");
}

#[test]
fn refusals_have_flowers_reason() {
    let body = br#"{"code": 2004, "detail": "Failed to activate SuperNode."}"#;
    let refused = failure(response("412 Precondition Failed", body));
    assert!(refused.is_activation_failure() && !refused.is_transient());
    assert!(refused.to_string().contains("Failed to activate SuperNode."), "{refused}");
    let unauthorised = failure(response("401 Unauthorized", b"{}"));
    assert!(matches!(unauthorised, TransportError::Unauthorised { .. }));
    let strange = failure(response("404 Not Found", br#"{"detail": [1]}"#));
    assert!(strange.to_string().contains("needs Flower 1.40 to 1.42"), "{strange}");
    assert!(failure(response("301 Moved", b"")).to_string().contains("status 301"));
    for status in ["503 Service Unavailable", "500 Internal Server Error", "429 Too Many Requests"]
    {
        assert!(failure(response(status, b"<html>")).is_transient(), "{status}");
    }
    for status in ["413 Content Too Large", "403 Forbidden"] {
        assert!(!failure(response(status, b"")).is_transient(), "{status}");
    }
}

#[test]
fn broken_connections_may_be_tried_again() {
    let whole = response("200 OK", b"answer");
    for cut in [0, 10, whole.len() - 1] {
        let broken = failure(whole[..cut].to_vec());
        assert!(matches!(broken, TransportError::Connection { .. }), "cut at {cut}: {broken:?}");
        assert!(broken.is_transient());
    }
    // Nobody listens here, and no other test is given this port.
    let failure = transport("127.0.0.1:1").call(Method::RegisterNode, b"").unwrap_err();
    assert!(matches!(failure, TransportError::Connection { .. }), "{failure:?}");
    assert!(failure.to_string().contains("check that it runs"), "{failure}");
}

#[test]
fn silence_ends_after_a_while() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let identity = Identity::generate().unwrap();
    let limit = Duration::from_millis(100);
    let transport = HttpTransport::new(&address, &Security::Insecure, identity, limit).unwrap();
    let failure = transport.call(Method::PullMessages, b"").unwrap_err();
    assert!(matches!(failure, TransportError::TimedOut { .. }), "{failure:?}");
    assert!(failure.is_transient());
}

#[test]
fn a_server_that_recovers_is_waited_for() {
    let whole = response("200 OK", b"answer");
    let (address, server) = serve(vec![
        response("503 Service Unavailable", b""),
        whole[..whole.len() - 2].to_vec(),
        whole,
    ]);
    let transport = transport(&address);
    let (interrupt, waits) = (Interrupt::new(), Mutex::new(Vec::new()));
    let observer = |event: &Event| waits.lock().unwrap().push(event.clone());
    let policy = RetryPolicy { attempts: 3, first_wait: 0.001, longest_wait: 0.001 };
    let retrying = Retrying::new(&transport, policy, Seed::new(0), &interrupt, &observer);
    assert_eq!(retrying.call(Method::PullObject, b"").unwrap(), b"answer");
    assert_eq!(server.join().unwrap().len(), 3);
    assert_eq!(waits.into_inner().unwrap().len(), 2);
}

#[test]
fn plain_text_is_no_tls() {
    let (address, server) = serve_raw(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec());
    let identity = Identity::generate().unwrap();
    let security = Security::SystemRoots;
    let transport =
        HttpTransport::new(&address, &security, identity, Duration::from_secs(5)).unwrap();
    let failure = transport.call(Method::PullMessages, b"").unwrap_err();
    server.join().unwrap();
    assert!(matches!(failure, TransportError::Tls { .. }), "{failure:?}");
    assert!(!failure.is_transient() && failure.to_string().contains("`--root-certificates`"));
}

/// A server that answers whatever comes first with these bytes.
fn serve_raw(answer: Vec<u8>) -> (String, thread::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut some = [0; 16];
        stream.read_exact(&mut some).unwrap();
        stream.write_all(&answer).unwrap();
    });
    (address, server)
}

#[test]
fn addresses_that_make_no_sense_are_named() {
    for (address, cause) in [
        ("", ""),
        ("localhost", "no port"),
        ("localhost:", "no port"),
        ("[::1]", "no port"),
        (":8000", ""),
        ("http://localhost:8000", "scheme"),
        ("a b:1", ""),
        ("host:8000/path", "more than a host and a port"),
        ("me@host:8000", "more than a host and a port"),
        ("host:99999", "1 to 65535"),
        ("host:0", "1 to 65535"),
    ] {
        let identity = Identity::generate().unwrap();
        let made =
            HttpTransport::new(address, &Security::Insecure, identity, Duration::from_secs(1));
        let Err(TransportError::Address { cause: found, .. }) = made else {
            panic!("`{address}`: {made:?}")
        };
        assert!(found.contains(cause), "`{address}`: {found}");
    }
    for address in ["localhost:8000", "127.0.0.1:1", "[::1]:8000"] {
        transport(address);
    }
}

#[test]
fn certificates_that_cannot_be_read_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    let make = || {
        let security = Security::RootCertificates(path.clone());
        HttpTransport::new("a:1", &security, Identity::generate().unwrap(), Duration::from_secs(1))
    };
    assert!(matches!(make(), Err(TransportError::Certificates { .. })), "no file");
    std::fs::write(&path, "nothing in PEM").unwrap();
    assert!(make().unwrap_err().to_string().contains("it holds none"));
    std::fs::write(&path, "-----BEGIN CERTIFICATE-----\n$$\n-----END CERTIFICATE-----\n").unwrap();
    assert!(matches!(make(), Err(TransportError::Certificates { .. })), "no base 64");
}
