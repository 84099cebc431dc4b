use std::time::Duration;

use tokio::time::timeout;

use super::super::Guard;
use super::super::callers::tests::config;
use super::*;
use crate::config::CertificateName;

/// A guard with one caller, which has this key.
fn guard(key: &[u8]) -> Guard {
    let guard = Guard::new(&config("guard.callers.ci.key = { file = \"k\" }\n"));
    set(&guard, &[key]);
    guard
}

fn set(guard: &Guard, keys: &[&[u8]]) {
    let keys: Vec<KeyDigest> = keys.iter().map(|key| KeyDigest::of(key)).collect();
    guard.callers.as_ref().unwrap().set_keys(0, &keys).unwrap();
}

fn lease(guard: &Guard, key: &[u8]) -> Lease {
    let callers = guard.callers().unwrap();
    Lease {
        caller: callers.list()[0].name.clone(),
        callers,
        key: Some(KeyDigest::of(key)),
        certificate: None,
    }
}

async fn ends(lease: &mut std::pin::Pin<Box<impl Future<Output = ()>>>) -> bool {
    timeout(Duration::from_mins(1), lease.as_mut())
        .await
        .is_ok()
}

#[tokio::test(start_paused = true)]
async fn a_lease_ends_when_its_key_is_revoked_here_or_in_the_next_configuration() {
    let first = guard(b"the-key");
    let mut held = Box::pin(lease(&first, b"the-key").revoked());
    assert!(!ends(&mut held).await);
    let second = guard(b"the-key");
    first.succeeded_by(&second);
    assert!(!ends(&mut held).await, "the next configuration knows it");
    set(&second, &[b"another"]);
    assert!(ends(&mut held).await);

    let mut held = Box::pin(lease(&second, b"another").revoked());
    second.succeeded_by(&second.clone());
    assert!(!ends(&mut held).await, "nothing has changed");
    set(&second, &[]);
    assert!(ends(&mut held).await);
}

#[tokio::test(start_paused = true)]
async fn a_lease_ends_if_a_pending_configuration_does_not_know_its_key() {
    let serves = guard(b"the-key");
    let (knows, open) = (guard(b"the-key"), Guard::new(&config("")));
    let mut held = Box::pin(lease(&serves, b"the-key").revoked());
    for pending in [Some(&knows), Some(&open), None] {
        serves.restrict_leases(pending);
        assert!(!ends(&mut held).await);
    }
    set(&knows, &[b"another"]);
    assert!(!ends(&mut held).await, "the restriction was lifted");
    serves.restrict_leases(Some(&knows));
    assert!(ends(&mut held).await);

    set(&knows, &[b"the-key"]);
    let mut held = Box::pin(lease(&serves, b"the-key").revoked());
    assert!(!ends(&mut held).await);
    set(&knows, &[]);
    assert!(ends(&mut held).await, "revoked there while it is pending");
}

#[tokio::test(start_paused = true)]
async fn a_lease_ends_if_the_next_configuration_does_not_know_its_key() {
    for next in [guard(b"another"), Guard::new(&config(""))] {
        let before = guard(b"the-key");
        let mut held = Box::pin(lease(&before, b"the-key").revoked());
        before.succeeded_by(&next);
        assert!(ends(&mut held).await);
    }
}

#[tokio::test(start_paused = true)]
async fn a_lease_ends_if_the_next_configuration_requires_a_certificate_too() {
    let mut stricter = config("guard.callers.ci.key = { file = \"k\" }\n");
    stricter.callers[0].san = CertificateName::parse("orders.example").ok();
    let next = Guard::new(&stricter);
    set(&next, &[b"the-key"]);
    let before = guard(b"the-key");
    let mut held = Box::pin(lease(&before, b"the-key").revoked());
    assert!(!ends(&mut held).await);
    before.succeeded_by(&next);
    assert!(ends(&mut held).await);
}

#[tokio::test(start_paused = true)]
async fn a_lease_ends_if_its_key_moves_to_another_caller() {
    let two = config(
        "guard.callers.ci.key = { file = \"k\" }\nguard.callers.nightly.key = { file = \"n\" }\n",
    );
    let key = KeyDigest::of(b"the-key");
    let before = Guard::new(&two);
    let callers = before.callers().unwrap();
    callers.set_keys(0, &[key]).unwrap();
    let mut held = Box::pin(lease(&before, b"the-key").revoked());
    assert!(!ends(&mut held).await);
    callers.set_keys(0, &[]).unwrap();
    callers.set_keys(1, &[key]).unwrap();
    assert!(ends(&mut held).await, "within one configuration");

    let after = Guard::new(&two);
    after.callers().unwrap().set_keys(1, &[key]).unwrap();
    for is_pending in [false, true] {
        let before = guard(b"the-key");
        let mut held = Box::pin(lease(&before, b"the-key").revoked());
        if is_pending {
            before.restrict_leases(Some(&after));
        } else {
            before.succeeded_by(&after);
        }
        assert!(ends(&mut held).await, "pending: {is_pending}");
    }
}
