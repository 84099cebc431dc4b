use super::*;
use crate::doctor::finding::Outcome;

async fn examined(listen: &Listen) -> Finding {
    let (finding, _) = examine_address(listen, ConfiguredProxy::without_admin()).await;
    finding
}

#[tokio::test]
async fn a_free_port_is_ok_and_a_used_one_names_its_program() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();

    let taken = examined(&Listen::Tcp(address)).await;
    assert_eq!(taken.outcome, Outcome::Failed(FailureKind::Other));
    assert!(taken.message.contains("is used by "), "{}", taken.message);

    drop(listener);
    let free = examined(&Listen::Tcp(address)).await;
    assert_eq!(free.outcome, Outcome::Ok, "{}", free.message);
}

#[tokio::test]
async fn an_address_of_another_machine_fails_with_a_remedy() {
    let elsewhere = examined(&Listen::Tcp("192.0.2.1:6749".parse().unwrap())).await;
    assert_eq!(elsewhere.outcome, Outcome::Failed(FailureKind::Other));
    assert!(elsewhere.remedies[0].action.contains("this machine has"));
}

#[tokio::test]
async fn the_address_to_which_a_browser_returns_must_be_free() {
    use crate::config::{Overrides, Surroundings, load_text};
    let owner = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = owner.local_addr().unwrap();
    let examined = async |grant: &str| {
        let text = format!(
            "listen = \"127.0.0.1:0\"\nadmin.listen = \"off\"\nupstream.url = \"https://api.example.com\"\n[token]\n\
             grant = \"{grant}\"\nissuer = \"https://as.example.com\"\nclient_id = \"id\"\nauth = \"none\"\n\
             redirect_url = \"http://{taken}/callback\"\n"
        );
        let loaded = load_text(&text, &Overrides::default(), &Surroundings::default());
        let loaded = loaded.unwrap_or_else(|problems| panic!("{problems}"));
        examine(&loaded.config).await
    };
    let finding = examined("authorization_code").await;
    assert_eq!(finding.outcome, Outcome::Failed(FailureKind::Other));
    let said = format!("token.redirect_url: {taken} is used by ");
    assert!(finding.message.starts_with(&said), "{}", finding.message);
    // Nobody returns there from another device.
    assert_eq!(examined("device_code").await.outcome, Outcome::Ok);
    drop(owner);
    assert_eq!(examined("authorization_code").await.outcome, Outcome::Ok);
}
