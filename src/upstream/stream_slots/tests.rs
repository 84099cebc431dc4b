use super::*;

#[test]
fn no_request_gets_a_slot_before_the_settings_or_beyond_their_limit() {
    let slots = StreamSlots::new();
    assert!(slots.reserve().is_none());
    slots.set_limit(2);
    let (first, second) = (slots.reserve(), slots.reserve());
    assert!(first.is_some() && second.is_some());
    assert!(slots.reserve().is_none());
    drop(first);
    assert!(slots.reserve().is_some());
}

#[test]
fn a_limit_without_bounds_is_bounded_here() {
    let slots = StreamSlots::new();
    slots.set_limit(usize::MAX);
    let held: Vec<_> = std::iter::from_fn(|| slots.reserve()).collect();
    assert_eq!(held.len(), MOST_STREAMS as usize);
}

#[tokio::test(start_paused = true)]
async fn only_a_connection_without_requests_is_retired_for_being_idle() {
    const IDLE: Duration = Duration::from_secs(50);
    let slots = StreamSlots::new();
    slots.set_limit(1);
    let slot = slots.reserve();
    tokio::time::advance(IDLE * 2).await;
    assert!(matches!(slots.retire_idle(IDLE), IdleCheck::Until(_)));
    drop(slot);
    assert_eq!(
        slots.retire_idle(IDLE),
        IdleCheck::Until(Instant::now() + IDLE)
    );
    tokio::time::advance(IDLE).await;
    assert_eq!(slots.retire_idle(IDLE), IdleCheck::Retired);
    assert!(slots.reserve().is_none());
}

#[tokio::test]
async fn a_connection_that_ends_before_its_settings_is_not_waited_for() {
    let slots = StreamSlots::new();
    let (is_decided, ()) = tokio::join!(slots.is_decided(), async { slots.retire() });
    assert!(!is_decided);
}
