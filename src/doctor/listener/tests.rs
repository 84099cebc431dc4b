use super::*;
use crate::doctor::finding::Outcome;

async fn look_at(listen: &Listen) -> Finding {
    at(listen, Wanted::unasked()).await
}

#[tokio::test]
async fn a_free_port_is_fine_and_a_taken_one_names_its_holder() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();

    let taken = look_at(&Listen::Tcp(address)).await;
    assert_eq!(taken.outcome, Outcome::Failed(Blame::Other));
    assert!(taken.said.contains("is held by "), "{}", taken.said);

    drop(listener);
    let free = look_at(&Listen::Tcp(address)).await;
    assert_eq!(free.outcome, Outcome::Ok, "{}", free.said);
}

#[tokio::test]
async fn a_port_that_needs_a_right_or_an_address_of_another_machine_says_so() {
    let elsewhere = look_at(&Listen::Tcp("192.0.2.1:6749".parse().unwrap())).await;
    assert_eq!(elsewhere.outcome, Outcome::Failed(Blame::Other));
    assert!(elsewhere.ways[0].remedy.contains("this machine has"));
}
