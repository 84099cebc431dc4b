//! Handshakes that do not end, or that no honest client would begin.

use std::time::Duration;

use tokio::time::Instant;

use super::Scene;
use super::pki::{connect, exchange, fetch};
use crate::support::Client;

/// The first bytes of a record with a `ClientHello` of 508 bytes.
const HALF_HELLO: &[u8] = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";

#[tokio::test]
async fn half_handshakes_are_closed_within_the_header_timeout_while_others_are_served() {
    for bytes in [&b""[..], HALF_HELLO] {
        let scene = Scene::new(&[("limits.header_timeout", "500ms")]).await;
        let mut flood = Vec::new();
        for _ in 0..300 {
            let mut client = Client::connect(scene.address()).await;
            client.send(bytes).await;
            flood.push(client);
        }
        let start = Instant::now();
        let closed = tokio::spawn(async move {
            for mut client in flood {
                client.rest().await;
            }
            start.elapsed()
        });
        let connector = scene.authority.connector();
        let mut served = 0;
        while !closed.is_finished() || served < 10 {
            let response = fetch(&connector, scene.address(), "").await;
            assert!(response.ends_with("/path"), "{response}");
            served += 1;
        }
        let took = closed.await.unwrap();
        assert!(took < Duration::from_secs(3), "{took:?}");
    }
}

#[tokio::test]
async fn half_handshakes_give_way_at_the_connection_limit() {
    let settings = [("limits.connections", "8"), ("limits.header_timeout", "1h")];
    let scene = Scene::new(&settings).await;
    let mut half = Vec::new();
    for _ in 0..20 {
        let mut client = Client::connect(scene.address()).await;
        client.send(HALF_HELLO).await;
        half.push(client);
    }
    let mut stream = connect(&scene.authority.connector(), scene.address()).await;
    let response = exchange(&mut stream, "").await;
    assert!(response.ends_with("/path"), "{response}");
}

#[tokio::test]
async fn hostile_hellos_end_only_their_own_connection() {
    let scene = Scene::new(&[]).await;
    let long_record = [&b"\x16\x03\x01\xff\xff"[..], &vec![0; 70_000]].concat();
    let many_empty_records = b"\x16\x03\x01\x00\x00".repeat(10_000);
    let endless_hello = {
        let mut bytes = b"\x16\x03\x01\x40\x00\x01\xff\xff\xff".to_vec();
        bytes.resize(5 + 0x4000, 0);
        let next = [&b"\x16\x03\x01\x40\x00"[..], &[0; 0x4000]].concat();
        bytes.extend(next.repeat(16));
        bytes
    };
    let hostile: [&[u8]; 9] = [
        b"\x16\x03\x01\x00\x04\x01\x00\x00\x00", // an empty ClientHello
        b"\x16\x03\x01\x00\x05\x02\x00\x00\x01\x00", // a ServerHello
        b"\x15\x03\x01\x00\x02\x02\x28",         // an alert
        b"\x17\x03\x03\x00\x01\x00",             // data before the handshake
        b"\x80\x2e\x01\x03\x01\x00\x15\x00\x00", // SSL 2
        b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
        &long_record,
        &many_empty_records,
        &endless_hello,
    ];
    for (number, bytes) in hostile.into_iter().enumerate() {
        let mut client = Client::connect(scene.address()).await;
        client.send(bytes).await;
        let rest = client.rest().await; // ends long before limits.header_timeout
        assert!(rest.len() < 100, "{number}: {rest:?}");
        let response = fetch(&scene.authority.connector(), scene.address(), "").await;
        assert!(response.ends_with("/path"), "{number}: {response}");
    }
}
