//! Sync through a real relay, and through what only looks like one.

use crate::support::{Device, Relay, Running, answering, join, selkie, serve};

#[test]
fn two_devices_hold_the_same_after_sync() {
    let relay = Relay::start();
    let (phone, laptop) = (Device::new(), Device::without_store());
    phone.ok(&["put", "notes", "milk", r#"{"title": "Milk"}"#]);
    join(&phone, &laptop, &relay.url);
    assert_eq!(laptop.value(&["get", "notes", "milk"])["document"]["title"], "Milk");
    assert_eq!(laptop.digest(), phone.digest());

    laptop.ok(&["patch", "notes", "milk", r#"{"done": true}"#]);
    laptop.ok(&["put", "notes", "bread", "{}"]);
    phone.ok(&["delete", "notes", "milk"]);
    let sync = ["sync", "--relay", &relay.url];
    let report = laptop.value(&sync);
    assert_eq!(report["changes_sent"], 2);
    assert!(report["segments_sent"].as_u64() >= Some(1));
    phone.ok(&sync);
    laptop.ok(&sync);
    assert_eq!(laptop.digest(), phone.digest());
    // By default an edit wins over a delete that did not know of it.
    assert_eq!(phone.value(&["get", "notes", "milk"])["document"]["done"], true);

    let quiet = phone.value(&sync);
    assert_eq!((&quiet["changes_sent"], &quiet["changes_received"]), (&0.into(), &0.into()));
    assert_eq!(phone.values(&["devices"]).len(), 2);
    assert_eq!(phone.value(&["status"])["last_sync"]["outcome"], "ok");
    for file in std::fs::read_dir(relay.data.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        for plain in ["notes", "bread", "title"] {
            assert!(!bytes.windows(plain.len()).any(|part| part == plain.as_bytes()), "{plain}");
        }
    }
}

#[test]
fn the_relay_is_named_by_the_environment_too() {
    let relay = Relay::start();
    let phone = Device::new();
    let mut command = phone.command(&["sync", "--json"]);
    command.env("SELKIE_RELAY", &relay.url);
    let done = crate::support::run(command, b"");
    assert_eq!(done.code, 0, "{done:?}");
}

#[test]
fn a_relay_that_is_not_there_or_answers_garbage_changes_nothing() {
    let phone = Device::new();
    phone.ok(&["put", "notes", "milk", "{}"]);
    let digest = phone.digest();
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    for (what, url) in [
        ("closed port", closed),
        ("hangs up", answering(b"")),
        ("no HTTP", answering(b"\x00\xff\x13\x37 garbage\r\n\r\n")),
        ("an HTML page", answering(b"HTTP/1.1 200 OK\r\ncontent-length: 13\r\n\r\n<html></html>")),
        ("an endless header", answering(b"HTTP/1.1 200 OK\r\nx: ")),
        ("a wrong length", answering(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n\xa1\x00")),
        ("an error page", answering(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n")),
        ("no such host", "https://relay.invalid:1".to_owned()),
    ] {
        for arguments in [["sync", "--relay", &url], ["invite", "--relay", &url]] {
            let (code, name) = phone.error(&arguments);
            assert_eq!(code, 6, "{what}: {arguments:?} {name}");
        }
        let status = phone.value(&["status"]);
        assert_ne!(status["last_sync"]["outcome"], "ok", "{what}");
    }
    assert_eq!(phone.digest(), digest);

    // And with a proper relay all goes on as if nothing had been.
    let relay = Relay::start();
    assert_eq!(phone.value(&["sync", "--relay", &relay.url])["segments_sent"], 1);
}

#[test]
fn an_address_that_is_none_is_refused() {
    let phone = Device::new();
    for url in ["", "relay.example", "ftp://relay.example", "http://"] {
        let (code, _) = phone.error(&["sync", "--relay", url]);
        assert!(matches!(code, 2 | 6 | 7), "{url}: {code}");
    }
}

#[test]
fn a_relay_that_was_killed_goes_on_where_it_was() {
    let data = tempfile::tempdir().unwrap();
    let phone = Device::new();
    phone.ok(&["put", "notes", "milk", "{}"]);
    let (process, url) = serve(data.path());
    phone.ok(&["sync", "--relay", &url]);
    drop(process);
    assert_eq!(phone.error(&["sync", "--relay", &url]), (6, "network".to_owned()));
    phone.ok(&["put", "notes", "bread", "{}"]);
    let (_process, url) = serve(data.path());
    let report = phone.value(&["sync", "--relay", &url]);
    assert_eq!(report["changes_sent"], 1);
}

#[test]
fn a_relay_ends_with_the_program_that_started_it() {
    let data = tempfile::tempdir().unwrap();
    let mut command = selkie();
    command.args(["relay", "serve", "--json", "--end-with-stdin", "--listen", "127.0.0.1:0"]);
    command.arg("--data").arg(data.path());
    let mut process = Running::start(command);
    process.next_value();
    // Closes its standard input, and waits.
    assert_eq!(process.end().0, 0);
}

#[test]
fn a_relay_says_why_it_does_not_start() {
    let device = Device::without_store();
    let data = tempfile::tempdir().unwrap();
    let data = data.path().to_str().unwrap();
    let (_process, _) = serve(std::path::Path::new(data));
    let start = ["relay", "serve", "--listen", "127.0.0.1:0", "--data"];
    assert_eq!(device.error(&[&start[..], &[data]].concat()), (5, "relay_in_use".to_owned()));
    let file = device.file("file", "");
    assert_eq!(device.error(&[&start[..], &[&file]].concat()), (5, "relay_data".to_owned()));
    let open = ["relay", "serve", "--listen", "0.0.0.0:0", "--data"];
    let other = device.path("other");
    let other = other.to_str().unwrap();
    assert_eq!(device.error(&[&open[..], &[other]].concat()), (7, "plaintext".to_owned()));
}
