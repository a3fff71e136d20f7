use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::mpsc;
use std::thread;

use experiment::interrupt::Interrupt;

use super::super::{Address, serve};
use super::*;

/// Longer than any of these tests waits for the server.
const FOREVER: Duration = Duration::from_secs(60);

/// Calls `visit` with the address of a server.
fn listening(limits: Limits, visit: impl FnOnce(SocketAddr)) {
    let interrupt = Interrupt::new();
    let (tell, told) = mpsc::channel();
    let address = Address { address: Ipv4Addr::LOCALHOST.into(), port: 0, names: Vec::new() };
    thread::scope(|scope| {
        let server = || {
            let ready = |address| tell.send(address).unwrap();
            serve(player(1, &config()), limits, address, &interrupt, ready).unwrap();
        };
        scope.spawn(server);
        // Also where the visit fails a test.
        let _stop = Stop(&interrupt);
        visit(told.recv().unwrap());
    });
}

struct Stop<'i>(&'i Interrupt);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.request();
    }
}

fn impatient() -> Limits {
    // Long enough for a busy machine to send a whole request.
    Limits { reading: Duration::from_secs(2), ..Limits::default() }
}

fn connected(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(FOREVER)).unwrap();
    stream
}

fn sent(address: SocketAddr, text: &str) -> TcpStream {
    let mut stream = connected(address);
    stream.write_all(text.as_bytes()).unwrap();
    stream
}

/// Everything until the server closes the connection.
fn until_closed(mut stream: TcpStream) -> String {
    let mut read = Vec::new();
    match stream.read_to_end(&mut read) {
        Err(error) if error.kind() != ErrorKind::ConnectionReset => panic!("{error}"),
        _ => String::from_utf8(read).unwrap(),
    }
}

const WHOLE: &str = "GET /api/model HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

#[test]
fn requests_that_do_not_end_are_closed_in_time() {
    listening(impatient(), |address| {
        assert_eq!(until_closed(connected(address)), "", "nothing was sent");
        assert_eq!(until_closed(sent(address, &WHOLE[..30])), "", "half a head");
        let body = "POST /api/sessions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
                    Content-Length: 30\r\n\r\n{\"start\":";
        let told = until_closed(sent(address, body));
        assert!(told.starts_with("HTTP/1.1 408") && told.contains("send it again"), "{told}");
        assert!(until_closed(sent(address, WHOLE)).starts_with("HTTP/1.1 200"));
    });
}

#[test]
fn idle_connections_make_room_for_a_visitor() {
    listening(Limits { connections: 2, ..impatient() }, |address| {
        let idle = [connected(address), connected(address)];
        assert!(until_closed(sent(address, WHOLE)).starts_with("HTTP/1.1 200"));
        idle.into_iter().for_each(|idle| assert_eq!(until_closed(idle), ""));
        // One that was answered and asks nothing more is idle too.
        let kept = WHOLE.replace("Connection: close\r\n", "");
        let told = until_closed(sent(address, &kept));
        assert!(told.starts_with("HTTP/1.1 200"), "{told}");
    });
}

#[test]
fn connections_beyond_the_limit_wait() {
    let limits = Limits { connections: 1, reading: FOREVER, ..Limits::default() };
    listening(limits, |address| {
        let first = connected(address);
        let mut second = sent(address, WHOLE);
        second.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        let waiting = second.read(&mut [0]).unwrap_err();
        assert!(matches!(waiting.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut));
        drop(first);
        second.set_read_timeout(Some(FOREVER)).unwrap();
        assert!(until_closed(second).starts_with("HTTP/1.1 200"));
    });
}
