use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::channel;

use experiment::interrupt::Interrupt;

use super::*;
use crate::clip::ClipSet;
use crate::generation::{GenerationSettings, generate};
use crate::serve::{Address, ServeError, serve};
use crate::world::WorldSettings;

fn address(port: u16) -> Address {
    Address { address: Ipv4Addr::LOCALHOST.into(), port, names: Vec::new() }
}

fn page(address: SocketAddr) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn the_server_answers_until_it_is_interrupted() {
    let (interrupt, (tell, told)) = (Interrupt::new(), channel());
    let flag = interrupt.clone();
    let serving = std::thread::spawn(move || {
        let ready = move |address| tell.send(address).unwrap();
        serve(player(1, &config()), Limits::default(), address(0), &flag, ready)
    });
    let address = told.recv().unwrap();
    let answer = page(address);
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.contains("<canvas"), "{answer}");
    interrupt.request();
    serving.join().unwrap().unwrap();
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn a_taken_port_is_said() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let player = player(1, &config());
    let refused = serve(player, Limits::default(), address(port), &Interrupt::new(), |_| ());
    let told = refused.unwrap_err().to_string();
    assert!(told.contains(&port.to_string()) && told.contains("another --port"), "{told}");
}

#[test]
fn settings_are_checked() {
    let refused = |change: fn(&mut PlayConfig)| {
        let mut config = config();
        change(&mut config);
        let starts = Starts::in_worlds(&config, [16, 16]);
        let player = starts.and_then(|starts| Player::new(tiny::video_model(1), starts, &config));
        player.unwrap_err().to_string()
    };
    assert!(refused(|config| config.frames_per_chunk = 0).contains("1 to 3"));
    assert!(refused(|config| config.frames_per_chunk = 4).contains("1 to 3"));
    assert!(refused(|config| config.frames_per_second = 0.0).contains("frames_per_second"));
    assert!(refused(|config| config.sampler.steps = 0).contains("sampler.steps"));
    assert!(refused(|config| config.fast.rate = f64::NAN).contains("fast.rate"));
    assert!(refused(|config| config.world.room_rows = 0).contains("room_rows"));
    let refused = Starts::in_worlds(&config(), [16, 24]).unwrap_err();
    assert!(matches!(refused, ServeError::NotSquare { height: 16, width: 24 }));
    for limits in [
        Limits { sessions: 0, ..Limits::default() },
        Limits { chunks: 0, ..Limits::default() },
        Limits { computing: 0, ..Limits::default() },
    ] {
        let refused = App::new(player(1, &config()), limits, Vec::new());
        assert!(matches!(refused, Err(ServeError::NoLimit(_))));
    }
    let endless = Limits { computing: usize::MAX, ..Limits::default() };
    assert!(App::new(player(1, &config()), endless, Vec::new()).is_ok());
}

#[test]
fn episodes_begin_where_test_episodes_do() {
    let folder = tempfile::tempdir().unwrap();
    let world = WorldSettings { size: 16, rays_per_pixel: 1, ..WorldSettings::default() };
    let settings = GenerationSettings { episodes: 6, actions: 2, world, ..Default::default() };
    generate(folder.path(), &settings, &Interrupt::new()).unwrap();
    let clips = ClipSet::open(folder.path()).unwrap();
    let refused = Starts::in_clips(clips.clone(), [32, 32]).unwrap_err().to_string();
    assert!(refused.contains("[16, 16]") && refused.contains("[32, 32]"), "{refused}");

    let starts = Starts::in_clips(clips.clone(), [16, 16]).unwrap();
    assert_eq!(starts.first_frame(0).unwrap().frames, clips.episode(5).unwrap().frame(0));
    let player = Player::new(tiny::video_model(1), starts, &config()).unwrap();
    let server = Server::of(player, Limits::default());
    assert_eq!(server.get("/api/model").json()["test_episodes"], 1);
    let begin = |start: u64| server.post("/api/sessions", &json!({ "start": start, "seed": 0 }));
    let session = path_of(&begin(0).expect(StatusCode::CREATED));
    server.act(&session, "turn left");
    assert!(begin(1).refusal(400).ends_with("choose 0 to 0"));
}
