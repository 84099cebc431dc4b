use super::*;

fn found(name: &str, existing: &[&str], extensions: &[&str]) -> Option<PathBuf> {
    let extensions: Vec<String> = extensions.iter().map(|end| (*end).to_owned()).collect();
    let path = env::join_paths(["/first", "relative", "/second"]).unwrap();
    find(name, &path, &extensions, &|file| {
        existing.iter().any(|one| Path::new(one) == file)
    })
}

#[test]
fn a_name_is_looked_for_in_the_absolute_directories_of_path_in_their_order() {
    let both = ["/first/az", "/second/az"];
    assert_eq!(found("az", &both, &[]), Some("/first/az".into()));
    assert_eq!(found("az", &both[1..], &[]), Some("/second/az".into()));
    assert_eq!(found("az", &["relative/az", "/az"], &[]), None);
}

#[test]
fn on_windows_a_script_is_found_by_its_name_alone() {
    let extensions = [".exe", ".cmd"];
    let script = ["/second/az.cmd", "/second/az"]; // the latter is for Unix-like shells
    assert_eq!(
        found("az", &script, &extensions),
        Some("/second/az.cmd".into())
    );
    assert_eq!(
        found("az.cmd", &script, &extensions),
        Some("/second/az.cmd".into())
    );
    let existing = [
        "/first/AZ.CMD",
        "/first/az.cmd.exe",
        "/first/python3.11.exe",
    ];
    assert_eq!(
        found("AZ.CMD", &existing, &extensions),
        Some("/first/AZ.CMD".into())
    );
    let python = Some("/first/python3.11.exe".into());
    assert_eq!(found("python3.11", &existing, &extensions), python);
    assert_eq!(found("az", &["/first/az"], &[""]), Some("/first/az".into()));
}

#[test]
fn a_relative_path_is_relative_to_our_own_working_directory() {
    let here = env::current_dir().unwrap().join("tools/token");
    let existing = [here.to_str().unwrap().to_owned()];
    let existing: Vec<&str> = existing.iter().map(String::as_str).collect();
    assert_eq!(found("tools/token", &existing, &[]), Some(here.clone()));
    assert_eq!(found("./tools/token", &existing, &[]), Some(here));
    assert_eq!(found("tools/other", &existing, &[]), None);
}

#[cfg(unix)]
#[test]
fn a_file_that_may_not_be_executed_is_no_program() {
    assert!(find_program("sh").is_some_and(|sh| sh.is_absolute()));
    assert_eq!(find_program("/etc/passwd"), None);
    assert_eq!(find_program("/bin"), None);
}
