//! Many simultaneous 401s, and a permanent one (tests/survives.md 9).

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use tokio::task::JoinSet;

use super::upstream::{Head, Scripted, Served, answer, refused};
use super::{LATENCY, Scene, ask, because, get, post};

/// An API that has revoked the first token that it receives.
async fn revoking() -> Served {
    let revoked = Mutex::new(None);
    Scripted::bind().await.serve(move |head, body| {
        let mut revoked = revoked.lock().unwrap();
        if *revoked.get_or_insert_with(|| head.bearer()) == head.bearer() {
            refused("revoked")
        } else {
            answer("200 OK", "", &format!("{} {}", head.path(), body.len()))
        }
    })
}

#[tokio::test]
async fn two_hundred_401s_cost_one_token_and_every_request_that_fits_is_replayed() {
    let api = revoking().await;
    let scene = Scene::before(&api.url).await;
    // So that all of them get their 401 before there is a newer token.
    scene.demo.state.change(|state| state.latency = LATENCY);
    let large = Arc::new("x".repeat((64 << 10) + 1));
    let mut storm = JoinSet::new();
    for number in 0..200 {
        let (proxy, large) = (scene.address(), Arc::clone(&large));
        storm.spawn(async move {
            let path = format!("/{number}");
            match number % 4 {
                0 => (number, ask(proxy, post(&path, &large)).await),
                1 => (number, ask(proxy, post(&path, "fits")).await),
                _ => (number, ask(proxy, get(&path)).await),
            }
        });
    }

    for (number, answer) in storm.join_all().await {
        let length = if number % 4 == 1 { 4 } else { 0 };
        if number % 4 == 0 {
            let why = because("the request body exceeds upstream.retry_body");
            assert_eq!((answer.status, &*answer.body), (401, "revoked"));
            assert_eq!(answer.head.value("proxy-status"), Some(&*why));
        } else {
            assert_eq!(answer.status, 200, "{answer:?}");
            assert_eq!(answer.body, format!("/{number} {length}"));
            assert_eq!(answer.head.value("proxy-status"), None);
        }
    }

    assert_eq!(
        scene.token_posts(),
        2,
        "the first token, and one newer token for all requests"
    );
    let mut attempts: HashMap<String, Vec<bool>> = HashMap::new();
    for (head, said) in api.requests() {
        let path = head.path().to_owned();
        attempts
            .entry(path)
            .or_default()
            .push(said.contains(" 401 "));
    }
    for number in 0..200 {
        let refused_then_served = &attempts[&format!("/{number}")];
        let expected: &[bool] = if number % 4 == 0 {
            &[true]
        } else {
            &[true, false]
        };
        assert_eq!(refused_then_served, expected, "{number}");
    }
}

#[tokio::test]
async fn an_upload_that_could_not_be_replayed_succeeds_when_its_caller_retries() {
    let api = revoking().await;
    let scene = Scene::before(&api.url).await;
    scene.demo.state.change(|state| state.latency = LATENCY);
    let large = post("/", &"x".repeat((64 << 10) + 1));
    assert_eq!(scene.ask(&large).await.status, 401);
    assert_eq!(scene.ask(&large).await.status, 200);
    assert_eq!(scene.token_posts(), 2);
}

#[tokio::test]
async fn a_permanent_401_on_one_route_costs_one_token_and_affects_no_other_route() {
    let answers = |head: &Head, _: &[u8]| match head.path() {
        "/broken" => refused("no"),
        _ => answer("200 OK", "", "fine"),
    };
    let api = Scripted::bind().await.serve(answers);
    let scene = Scene::before(&api.url).await;
    for round in 0..50 {
        let broken = scene.ask(get("/broken")).await;
        assert_eq!((broken.status, &*broken.body), (401, "no"));
        let paused = because("no newer token, forced refreshes are paused");
        let expected = (round > 0).then_some(&*paused);
        assert_eq!(broken.head.value("proxy-status"), expected);
        assert_eq!(scene.ask(get("/")).await.status, 200);
    }
    assert_eq!(scene.token_posts(), 2);
    assert_eq!(api.requests().len(), 50 + 1 + 50);
}

#[tokio::test]
async fn a_late_401_to_an_old_token_does_not_replace_the_newer_one() {
    let api = Scripted::bind().await;
    let scene = Scene::before(&api.url).await;
    let mut slow = scene.connect().await;
    slow.write(get("/slow")).await;
    let (mut held, old) = api.request().await;
    let mut quick = scene.connect().await;
    quick.write(get("/quick")).await;
    let (mut refusing, _) = api.request().await;
    refusing.write(refused("no")).await;
    let (mut replay, newer) = api.request().await;
    replay.write(answer("200 OK", "", "")).await;
    assert_eq!(super::answer_on(&mut quick).await.status, 200);

    held.write(refused("no")).await; // about a token that is no longer the one in use
    let next = replay.head().await.expect("the connection is reused");
    replay.write(answer("200 OK", "", "")).await;

    assert_eq!(super::answer_on(&mut slow).await.status, 200);
    assert_ne!(old.bearer(), newer.bearer());
    assert_eq!(next.bearer(), newer.bearer());
    assert_eq!(scene.token_posts(), 2, "the newer token was not replaced");
}
