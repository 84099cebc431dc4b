use std::net::TcpListener;

use super::*;

#[test]
fn a_port_of_this_process_is_identified_although_it_does_not_answer() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let holder = holder(listener.local_addr().unwrap(), &[]);
    assert!(!holder.is_cupbearer);
    // A process that another test has hidden cannot read its own entries in /proc.
    if std::fs::read_dir("/proc/self/fd").is_ok() {
        let process = holder.process.clone().unwrap();
        assert_eq!(process.pid, std::process::id());
        assert!(holder.to_string().contains("(process "), "{holder}");
    }
}
