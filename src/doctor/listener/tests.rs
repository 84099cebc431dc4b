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
