use super::*;

#[test]
fn a_hidden_process_writes_no_core_dump() {
    use rustix::process::{DumpableBehavior, Resource, dumpable_behavior, getrlimit};
    hide_process().unwrap();
    let limit = getrlimit(Resource::Core);
    assert_eq!((limit.current, limit.maximum), (Some(0), Some(0)));
    assert_eq!(dumpable_behavior().unwrap(), DumpableBehavior::NotDumpable);
}
