use super::*;

#[test]
fn a_sweeper_that_panics_is_named_among_the_stopped_tasks() {
    let metrics = Metrics::new(None);
    let limits = ConnectionLimits {
        connections: 1,
        header_bytes: 16 << 10,
        streams: 128,
        header_timeout: Duration::from_secs(1),
        keep_alive: Duration::from_secs(1),
        stall_timeout: Duration::from_secs(1),
        head_grace: Duration::from_millis(250),
        unread_gives_way: None,
    };
    let registry = ConnectionRegistry::new(limits, Arc::clone(&metrics));
    // The sweeper sleeps, and a runtime without timers panics when a task does.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let swept = runtime.block_on(async { registry.start_sweeper().await });
    assert!(swept.unwrap_err().is_panic());
    assert_eq!(metrics.stopped_tasks().names(), ["limits of connections"]);
}
