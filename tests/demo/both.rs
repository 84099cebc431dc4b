//! Start, configuration and shutdown of both servers.

use cupbearer::demo::Options;

use crate::support::DemoFixture;

#[tokio::test]
async fn a_port_in_use_is_replaced_by_a_free_one_and_reported() {
    let owner = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = owner.local_addr().unwrap().port();
    let fixture = DemoFixture::with(Options {
        api_port: taken,
        ..Options::on_free_ports()
    })
    .await;

    assert_eq!(fixture.demo.moved.len(), 1);
    let said = &fixture.demo.moved[0];
    assert!(
        said.contains(&taken.to_string()) && said.contains("the API"),
        "{said}"
    );
    assert!(!fixture.demo.api_url.ends_with(&format!(":{taken}")));
    assert_eq!(fixture.list(&fixture.token().await).await, 200);
}

#[tokio::test]
async fn the_configuration_contains_the_addresses_but_not_the_secret() {
    let fixture = DemoFixture::new().await;
    let text = fixture.demo.configuration();
    assert!(!text.contains(&fixture.secret()));

    let written: toml::Table = text.parse().unwrap();
    assert_eq!(
        written["upstream"]["url"].as_str().unwrap(),
        fixture.demo.api_url
    );
    assert_eq!(
        written["token"]["url"].as_str().unwrap(),
        fixture.demo.token_url
    );
    let file = written["token"]["client_secret"]["file"].as_str().unwrap();
    assert_eq!(std::fs::read_to_string(file).unwrap(), fixture.secret());
    assert!(!format!("{:?}", fixture.demo).contains(&fixture.secret()));
}

#[tokio::test]
async fn shutting_down_closes_idle_connections_and_frees_the_ports() {
    let fixture = DemoFixture::new().await;
    assert_eq!(fixture.list(&fixture.token().await).await, 200);
    let api = fixture.demo.api_url.clone();

    fixture.demo.shutdown().await;

    assert!(fixture.http.get(api).send().await.unwrap_err().is_connect());
}
