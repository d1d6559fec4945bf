//! What clients send that no honest one would.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use selkie_wire::limits::{PAGE_SEGMENTS_MAX, REQUEST_BYTES_MAX};
use selkie_wire::relay::{HealthResponse, PROTOCOL_VERSION, PushOutcome};

use crate::support::{Vault, code, relay, relay_with};

#[test]
fn garbage_is_answered_with_a_problem_everywhere() {
    let (_relay, client) = relay();
    let (vault, phone, _) = Vault::with_two(1);
    client.create(&vault);
    let member = client.member(&phone);
    let deep = [0x81].repeat(100_000);
    let endless_list = [0xa1, 0x00, 0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
    let bodies: [&[u8]; 8] = [
        b"",
        b"{}",
        &[0xa0],
        &[0xf6],
        &[0xff; 100],
        &endless_list,
        // An indefinite length, and a length not in its shortest form.
        &[0xbf, 0x00, 0x80, 0xff],
        &[0xa1, 0x00, 0x98, 0x00],
    ];
    let paths = ["/v1/challenge", "/v1/token", "/v1/vaults"].map(str::to_owned);
    let ends = ["roster", "push", "pull", "chunks", "chunks/fetch", "checkpoints"];
    let member_paths = ends.map(|end| member.path(end));
    for path in paths.iter().chain(&member_paths) {
        for body in bodies {
            let reply = client.send("POST", path, Some(&member.token), body).unwrap();
            assert_eq!(reply.problem(), code(400, "bad-body"), "{path} {body:02x?}");
        }
    }
    let reply = member.send("POST", "push", &deep);
    assert_eq!(reply.problem(), code(400, "bad-body"));
    assert_eq!(member.try_pull(None, 0).status, 200);
}

#[test]
fn an_oversize_body_is_refused_with_a_reason() {
    let (_relay, client) = relay();
    let (vault, phone, _) = Vault::with_two(1);
    client.create(&vault);
    let member = client.member(&phone);
    let large = vec![0; REQUEST_BYTES_MAX + 1];
    for end in ["push", "roster"] {
        assert_eq!(member.send("POST", end, &large).problem(), code(413, "too-large"), "{end}");
        let problem = member.send("POST", end, &large[1..]).problem();
        assert_eq!(problem, code(400, "bad-body"), "{end}: the largest is read");
    }
    for path in ["/v1/challenge", "/v1/token", "/v1/vaults", &member.path("pull")] {
        let reply = client.send("POST", path, Some(&member.token), &large).unwrap();
        assert_eq!(reply.problem(), code(413, "too-large"), "{path}");
    }
    let many = vec![Vec::new(); PAGE_SEGMENTS_MAX + 1];
    assert_eq!(member.try_push(&many).problem(), code(400, "bad-body"));
    assert_eq!(member.outcomes(&many[1..]), vec![PushOutcome::Refused; PAGE_SEGMENTS_MAX]);
}

#[test]
fn unknown_paths_and_methods_are_problems() {
    let (_relay, client) = relay();
    let health = client.send("GET", "/v1/health", None, &[]).unwrap();
    assert_eq!(health.message::<HealthResponse>().protocol, PROTOCOL_VERSION);
    for (method, path, expected) in [
        ("GET", "/", code(404, "not-found")),
        ("GET", "/v2/health", code(404, "not-found")),
        ("POST", "/v1/health", code(405, "method-not-allowed")),
        ("GET", "/v1/challenge", code(405, "method-not-allowed")),
        ("PUT", "/v1/vaults", code(405, "method-not-allowed")),
        ("POST", "/v1/vaults/00/push", code(401, "unauthorized")),
        ("POST", "/v1/vaults/%ff/pull", code(401, "unauthorized")),
    ] {
        let reply = client.send(method, path, None, b"x").unwrap();
        assert_eq!(reply.problem(), expected, "{method} {path}");
    }
}

/// Sends raw bytes, and reads until the relay closes.
fn raw(url: &str, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(url.strip_prefix("http://").unwrap()).unwrap();
    stream.write_all(bytes).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn a_client_that_stops_in_the_middle_of_a_body_is_told_and_closed() {
    let (_relay, client) =
        relay_with(|config| config.timeouts.body_idle = Duration::from_millis(50));
    let head = "POST /v1/challenge HTTP/1.1\r\nhost: x\r\n";
    let answer = raw(&client.url, format!("{head}content-length: 100\r\n\r\nabc").as_bytes());
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("\"timeout\""), "{answer}");
    let chunked = format!("{head}transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n");
    let answer = raw(&client.url, chunked.as_bytes());
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
}

#[test]
fn a_client_that_sends_no_request_is_closed() {
    let (_relay, client) = relay_with(|config| config.timeouts.head = Duration::from_millis(300));
    for half in ["", "GET /v1/he", "GET /v1/health HTTP/1.1\r\nhost: x\r\n"] {
        let answer = raw(&client.url, half.as_bytes());
        assert!(!answer.contains("200"), "{answer}");
    }
    let idle_after_one = raw(&client.url, b"GET /v1/health HTTP/1.1\r\nhost: x\r\n\r\n");
    assert!(idle_after_one.starts_with("HTTP/1.1 200 "), "{idle_after_one}");
}

#[test]
fn a_request_under_way_ends_before_the_relay_does() {
    let (relay, client) = relay();
    let address = relay.address();
    let mut stream = TcpStream::connect(address).unwrap();
    let id = "11".repeat(32);
    let head = format!("PUT /v1/mailboxes/{id}/0 HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n");
    stream.write_all(format!("{head}expect: 100-continue\r\n\r\n").as_bytes()).unwrap();
    let mut go_on = [0; 25];
    stream.read_exact(&mut go_on).unwrap();
    assert_eq!(go_on, *b"HTTP/1.1 100 Continue\r\n\r\n");
    let stopping = std::thread::spawn(move || relay.stop());
    // Once nobody is let in any more, the relay has begun to stop.
    while client.send("GET", "/v1/health", None, &[]).is_ok() {}
    stream.write_all(b"offer").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    stopping.join().unwrap().unwrap();
}

#[test]
fn chunked_bodies_are_bounded_too() {
    let (_relay, client) = relay();
    let chunk = format!("1000\r\n{}\r\n", "x".repeat(0x1000));
    let head = "POST /v1/challenge HTTP/1.1\r\nhost: x\r\nconnection: close\r\n";
    let request = format!("{head}transfer-encoding: chunked\r\n\r\n{chunk}{chunk}0\r\n\r\n");
    let answer = raw(&client.url, request.as_bytes());
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

#[test]
fn logs_name_nobody() {
    let lines = std::sync::Arc::new(std::sync::Mutex::new(Vec::<String>::new()));
    let dir = tempfile::tempdir().unwrap();
    let mut config = selkie_relay::Config::new(dir.path());
    let sink = std::sync::Arc::clone(&lines);
    config.log = selkie_relay::Log::from_fn(move |line| sink.lock().unwrap().push(line.to_owned()));
    let (relay, client) = crate::support::start(config);
    let (vault, mut phone, _) = Vault::with_two(1);
    client.create(&vault);
    let member = client.member(&phone);
    // The storage breaks under the relay: the one thing it writes about.
    let database = rusqlite::Connection::open(dir.path().join("relay.sqlite3")).unwrap();
    database.execute_batch("DROP TABLE segments").unwrap();
    let envelope = phone.seal(100);
    assert_eq!(member.try_push(&[envelope]).problem(), code(500, "internal"));
    drop(database);
    relay.stop().unwrap();
    let lines = lines.lock().unwrap().join("\n");
    assert!(lines.contains("the storage failed"), "{lines}");
    let names = [vault.id().to_string(), phone.id.to_string(), phone.last.to_string()];
    for name in names.iter().map(String::as_str).chain(["127.0.0.1", &member.token]) {
        assert!(!lines.contains(name), "{lines}");
    }
}
