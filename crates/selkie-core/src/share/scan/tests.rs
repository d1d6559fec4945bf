//! Tests of the scanner: what it finds, what it leaves, and that its time is linear.

use super::*;

/// The text with its finds in brackets, as `<kind:text>`.
fn marked(text: &str) -> String {
    let mut out = String::new();
    let mut from = 0;
    for span in scan(text) {
        out.push_str(&text[from..span.start]);
        out.push_str(&format!("<{}:{}>", span.found.name(), &text[span.start..span.end]));
        from = span.end;
    }
    out + &text[from..]
}

#[test]
fn what_has_a_form_is_found() {
    for (text, kind, found) in [
        ("mail Anna.O+x@mail.example.co.uk.", Found::Email, "Anna.O+x@mail.example.co.uk"),
        ("<a_b@ex-ample.com>", Found::Email, "a_b@ex-ample.com"),
        ("?to=anna%40example.com&x", Found::Email, "anna%40example.com"),
        ("mél: andré@exämple.fr!", Found::Email, "andré@exämple.fr"),
        ("+33 6 12 34 56 78", Found::Phone, "+33 6 12 34 56 78"),
        ("(+44) 20 7946 0958 now", Found::Phone, "(+44) 20 7946 0958"),
        ("on 06 12 34 56 78.", Found::Phone, "06 12 34 56 78"),
        ("fon 0612345678", Found::Phone, "0612345678"),
        ("212-555-0123 x45", Found::Phone, "212-555-0123 x45"),
        ("(212) 555-0123", Found::Phone, "(212) 555-0123"),
        ("call 555 0123 today", Found::Phone, "555 0123"),
        ("5551234567-Office", Found::Phone, "5551234567"),
        ("card 4111 1111 1111 1111,", Found::Card, "4111 1111 1111 1111"),
        ("4111111111111111", Found::Card, "4111111111111111"),
        ("3782-822463-10005", Found::Card, "3782-822463-10005"),
        ("qty 3 5555-5555-5555-4444", Found::Card, "5555-5555-5555-4444"),
        ("IBAN DE89 3704 0044 0532 0130 00", Found::Iban, "DE89 3704 0044 0532 0130 00"),
        ("gb82west12345698765432", Found::Iban, "gb82west12345698765432"),
        ("from 192.0.2.7:443", Found::Ip, "192.0.2.7"),
        ("[2001:db8::ff00:42:8329]", Found::Ip, "2001:db8::ff00:42:8329"),
        ("fe80:0:0:0:1ff:fe23:4567:890a up", Found::Ip, "fe80:0:0:0:1ff:fe23:4567:890a"),
        ("de:ad:be:ef:00:01", Found::Device, "de:ad:be:ef:00:01"),
        ("https://anna:pw@example.com/", Found::Credentials, "anna:pw"),
        ("{\"password\": \"hunter2\"}", Found::Credentials, "hunter2"),
        ("?client_secret=s3cr3t&a", Found::Credentials, "s3cr3t"),
        ("ssn 078-05-1120", Found::NationalId, "078-05-1120"),
        ("NHS 943 476 5919", Found::NationalId, "943 476 5919"),
        ("nir 2 55 08 14 168 025 38", Found::NationalId, "2 55 08 14 168 025 38"),
        ("dni 12345678Z", Found::NationalId, "12345678Z"),
        ("RSSMRA85T10A562S", Found::NationalId, "RSSMRA85T10A562S"),
        ("hetu 131052-308T", Found::NationalId, "131052-308T"),
        ("44051401359", Found::NationalId, "44051401359"),
        ("111.444.777-35", Found::NationalId, "111.444.777-35"),
        ("756.9217.0769.85", Found::NationalId, "756.9217.0769.85"),
        ("11010519491231002X", Found::NationalId, "11010519491231002X"),
        ("AB 12 34 56 C", Found::NationalId, "AB 12 34 56 C"),
        ("S1234567D", Found::NationalId, "S1234567D"),
        ("at 48.85661, 2.35222.", Found::Coordinates, "48.85661, 2.35222"),
        ("lat=-48.856 x", Found::Coordinates, "-48.856"),
        ("AKIAIOSFODNN7EXAMPLE", Found::Token, "AKIAIOSFODNN7EXAMPLE"),
        ("Bearer abc123def456ghi", Found::Token, "abc123def456ghi"),
    ] {
        let wanted = format!("<{}:{found}>", kind.name());
        let marked = marked(text);
        assert!(marked.contains(&wanted), "{text}: {marked}");
    }
    let token = format!("ghp_{}", "a1B2".repeat(9));
    assert_eq!(marked(&token), format!("<token:{token}>"));
    let key = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow==\n-----END RSA PRIVATE KEY-----";
    assert_eq!(marked(key), format!("<private key:{key}>"));
}

#[test]
fn the_user_in_a_path_is_found() {
    for home in [concat!("/", "home/"), concat!("/", "Users/"), concat!("C:\\", "Users\\")] {
        let separator = &home[home.len() - 1..];
        let text = format!("open {home}alice{separator}notes.txt failed");
        let clean = redact(&text).0;
        assert_eq!(clean, format!("open {home}[user]{separator}notes.txt failed"));
    }
}

#[test]
fn what_only_looks_like_it_is_left() {
    for text in [
        "2026-11-24T18:15:59.123Z took 12.5 ms",
        "24.11.2026 18:15 and 11/24/2026",
        "550e8400-e29b-41d4-a716-446655440000",
        "version 1.2.3.4 of std::vec::Vec, a::b, dead::beef",
        "127.0.0.1 and 0.0.0.0 and ::1",
        "icon@2x.png and git@github.com",
        "4111 1111 1111 1112",
        "DE89370400440532013001",
        "0.12345 0.67891, loss 1.25",
        "order 2012345678 of 12345678 rows",
        "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "GET /api/v1/items/123456789?page=2",
        "max_tokens: 512, token: null",
        "@ @@ a@ @b a@b user@localhost",
        "((((++++(((( 1 ) +( :: :// %40 = --- \\ //",
        "",
    ] {
        assert_eq!(marked(text), text);
    }
}

#[test]
fn spans_are_in_order_apart_and_at_borders_of_characters() {
    let parts = [
        "@",
        "a@b.co",
        "é",
        "+",
        "(",
        "1",
        "0",
        "12",
        " ",
        "-",
        ".",
        "/",
        ":",
        "://",
        "=",
        "eyJ",
        "sk-",
        "日",
        "AB",
        "ES",
        "%40",
        "\\",
        "token",
        "-----BEGIN ",
        "PRIVATE KEY-----",
        "home",
        "N",
        "°",
        ",",
        "\u{a0}",
    ];
    let mut state = 7u64;
    for _ in 0..3000 {
        let mut text = String::new();
        for _ in 0..40 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            text.push_str(parts[(state >> 33) as usize % parts.len()]);
        }
        let mut end = 0;
        for span in scan(&text) {
            assert!(span.start >= end && span.end > span.start, "{text:?}: {span:?}");
            assert!(
                text.is_char_boundary(span.start) && text.is_char_boundary(span.end),
                "{text:?}"
            );
            end = span.end;
        }
    }
}
