use super::*;

#[test]
fn a_secret_does_not_print() {
    let secret = Secret::new("hunter2");
    assert_eq!(format!("{secret:?}"), "Secret(..)");
    assert_eq!(format!("{:?}", Some(secret)), "Some(Secret(..))");
}

#[cfg(target_os = "linux")]
#[test]
fn a_hidden_process_leaves_no_core() {
    use rustix::process::{DumpableBehavior, Resource, dumpable_behavior, getrlimit};
    hide_process().unwrap();
    let limit = getrlimit(Resource::Core);
    assert_eq!((limit.current, limit.maximum), (Some(0), Some(0)));
    assert_eq!(dumpable_behavior().unwrap(), DumpableBehavior::NotDumpable);
}
