//! Start, configuration, end.

use cupbearer::demo::Options;

use crate::support::Scene;

#[tokio::test]
async fn a_taken_port_is_left_to_its_owner_and_said() {
    let owner = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = owner.local_addr().unwrap().port();
    let scene = Scene::with(Options {
        api_port: taken,
        ..Options::on_free_ports()
    })
    .await;

    assert_eq!(scene.demo.moved.len(), 1);
    let said = &scene.demo.moved[0];
    assert!(
        said.contains(&taken.to_string()) && said.contains("the API"),
        "{said}"
    );
    assert!(!scene.demo.api_url.ends_with(&format!(":{taken}")));
    assert_eq!(scene.list(&scene.token().await).await, 200);
}

#[tokio::test]
async fn the_configuration_names_the_addresses_and_leaves_the_secret_in_its_file() {
    let scene = Scene::new().await;
    let text = scene.demo.configuration();
    assert!(!text.contains(&scene.secret()));

    let written: toml::Table = text.parse().unwrap();
    assert_eq!(
        written["upstream"]["url"].as_str().unwrap(),
        scene.demo.api_url
    );
    assert_eq!(
        written["token"]["url"].as_str().unwrap(),
        scene.demo.token_url
    );
    let file = written["token"]["client_secret"]["file"].as_str().unwrap();
    assert_eq!(std::fs::read_to_string(file).unwrap(), scene.secret());
    assert!(!format!("{:?}", scene.demo).contains(&scene.secret()));
}

#[tokio::test]
async fn shutting_down_closes_idle_connections_and_frees_the_ports() {
    let scene = Scene::new().await;
    assert_eq!(scene.list(&scene.token().await).await, 200);
    let api = scene.demo.api_url.clone();

    scene.demo.shutdown().await;

    assert!(scene.http.get(api).send().await.unwrap_err().is_connect());
}
