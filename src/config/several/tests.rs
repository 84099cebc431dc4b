use std::path::Path;

use super::*;

fn written(directory: &Path, name: &str, more: &str) -> Overrides {
    let file = directory.join(name);
    let text = format!(
        "name = \"{name}\"\nlisten = \"127.0.0.1:0\"\nupstream.url = \"http://localhost:1\"\n{more}\n[token]\n\
         url = \"http://localhost:2\"\nclient_id = \"i\"\nclient_secret.file = \"/s\"\n"
    );
    std::fs::write(&file, text).unwrap();
    Overrides {
        file: Some(file),
        ..Overrides::default()
    }
}

/// The keys that have problems.
fn complaints(result: Result<Vec<Loaded>, ConfigProblems>) -> Vec<String> {
    let problems = result.err().unwrap();
    problems.iter().map(|one| one.key.clone()).collect()
}

fn load_all(all: &[Overrides]) -> Result<Vec<Loaded>, ConfigProblems> {
    super::load_all(all, &Surroundings::default()).map_err(|invalid| invalid.problems)
}

#[test]
fn keys_of_the_process_in_one_file_apply_to_all_proxies() {
    let directory = tempfile::tempdir().unwrap();
    let all = [
        written(directory.path(), "a", ""),
        written(
            directory.path(),
            "b",
            "drain = \"7s\"\nlog.level = \"debug\"",
        ),
    ];
    let loaded = load_all(&all).unwrap_or_else(|problems| panic!("{problems}"));
    for one in &loaded {
        assert_eq!(one.config.drain.as_secs(), 7);
        assert_eq!(one.config.log.level, "debug");
    }
    let names: Vec<&str> = loaded.iter().map(|one| &*one.config.name).collect();
    assert_eq!(names, ["a", "b"]);
}

#[test]
fn a_changed_key_of_the_process_is_a_change_only_of_the_file_that_sets_it() {
    let directory = tempfile::tempdir().unwrap();
    let all = [
        written(directory.path(), "a", ""),
        written(directory.path(), "b", "drain = \"7s\""),
    ];
    let before = load_all(&all).ok().unwrap();
    written(directory.path(), "b", "drain = \"8s\"");
    let again = |place| {
        let loaded = load_one_of(
            &all,
            place,
            &Surroundings::default(),
            &before[place].digests,
            &before[place].digests,
        )
        .ok()
        .unwrap();
        loaded.digests.changed_from(&before[place].digests)
    };
    assert_eq!(again(0), [""; 0]);
    assert_eq!(again(1), ["drain"]);
}

#[test]
fn a_file_that_is_read_again_brings_what_another_one_sets_for_the_process() {
    let directory = tempfile::tempdir().unwrap();
    let all = [
        written(directory.path(), "a", "drain = \"7s\""),
        written(directory.path(), "b", "log.access = \"all\""),
    ];
    let in_use = KeyDigests::default();
    let drain = || {
        let loaded = load_one_of(&all, 1, &Surroundings::default(), &in_use, &in_use);
        loaded.ok().map(|loaded| loaded.config.drain.as_secs())
    };
    // Of two files that set keys of the process, the later one has the problem.
    assert_eq!(drain(), None);
    written(directory.path(), "b", "");
    assert_eq!(drain(), Some(7));
    written(directory.path(), "a", "drain = \"soon\"");
    assert_eq!(drain(), Some(10));
}

#[test]
fn a_reload_refuses_a_file_that_a_start_refuses_whatever_key_the_problem_names() {
    let directory = tempfile::tempdir().unwrap();
    for others in [&[][..], &["b"]] {
        let file = |name: &&str| written(directory.path(), name, "");
        let all: Vec<Overrides> = ["a"].iter().chain(others).map(file).collect();
        let before = load_all(&all).ok().unwrap();
        let path = directory.path().join("a");
        let text = std::fs::read_to_string(&path).unwrap();
        for line in [
            "\"log.level\" = \"debug\"",
            "\"admin.listen\" = \"off\"",
            "\"runtime.threads\" = 2",
            "\"token.redirect_url\" = \"http://localhost:1/\"",
            "\"\\u0064rain\" = 7",
        ] {
            std::fs::write(&path, format!("{line}\n{text}")).unwrap();
            let refused = complaints(load_all(&all));
            let in_use = &before[0].digests;
            let again = load_one_of(&all, 0, &Surroundings::default(), in_use, in_use);
            assert_eq!(complaints(again.map(|one| vec![one])), refused, "{line}");
        }
    }
}

#[test]
fn a_file_that_takes_back_what_another_one_has_taken_meanwhile_gives_way() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let all = [
        written(directory.path(), "a", ""),
        written(directory.path(), "b", ""),
    ];
    let start = load_all(&all).ok().unwrap();
    let text = |name: &str| std::fs::read_to_string(path(name)).unwrap();
    let (a, b) = (text("a"), text("b"));
    let read = |place: usize, accepted: &KeyDigests| {
        let in_use = &start[place].digests;
        load_one_of(&all, place, &Surroundings::default(), in_use, accepted)
    };
    let accepted = |place: usize, accepted: &KeyDigests| match read(place, accepted) {
        Ok(loaded) => loaded.digests,
        Err(problems) => panic!("{problems}"),
    };
    std::fs::write(path("a"), a.replace("\"a\"", "\"x\"")).unwrap();
    let moved = accepted(0, &start[0].digests);
    std::fs::write(path("b"), b.replace("\"b\"", "\"a\"")).unwrap();
    let taken = accepted(1, &start[1].digests);
    std::fs::write(path("a"), &a).unwrap();
    let refused = read(0, &moved).map(|one| vec![one]);
    assert_eq!(complaints(refused), ["name"]);
    // Read again, the other one says so too.
    let refused = read(1, &taken).map(|one| vec![one]);
    assert_eq!(complaints(refused), ["name"]);
}

#[test]
fn a_file_sets_no_first_key_of_the_process_while_another_one_cannot_be_read() {
    let directory = tempfile::tempdir().unwrap();
    let all = [
        written(directory.path(), "a", "drain = \"7s\""),
        written(directory.path(), "b", ""),
    ];
    let before = load_all(&all).ok().unwrap();
    std::fs::write(directory.path().join("a"), "broken").unwrap();
    written(directory.path(), "b", "log.level = \"debug\"");
    let in_use = &before[1].digests;
    let again = load_one_of(&all, 1, &Surroundings::default(), in_use, in_use);
    assert_eq!(complaints(again.map(|one| vec![one])), ["log.level"]);
    written(directory.path(), "b", "guard.read_only = true");
    assert!(load_one_of(&all, 1, &Surroundings::default(), in_use, in_use).is_ok());
}

#[test]
fn one_file_can_be_read_again_while_another_is_invalid() {
    let directory = tempfile::tempdir().unwrap();
    let all = [
        written(directory.path(), "a", "drain = \"7s\""),
        written(directory.path(), "b", ""),
    ];
    let before = load_all(&all).ok().unwrap();
    std::fs::write(directory.path().join("a"), "broken").unwrap();
    let read = |place: usize| {
        let in_use = &before[place].digests;
        load_one_of(&all, place, &Surroundings::default(), in_use, in_use)
    };
    assert!(read(0).is_err());
    assert!(read(1).is_ok());
    // What it takes from another is its own problem, and not that of the other.
    written(directory.path(), "a", "drain = \"7s\"");
    let mut text = std::fs::read_to_string(directory.path().join("b")).unwrap();
    text = text.replace("name = \"b\"", "name = \"a\"\ndrain = \"8s\"");
    std::fs::write(directory.path().join("b"), text).unwrap();
    assert_eq!(complaints(read(1).map(|one| vec![one])), ["drain", "name"]);
    assert!(read(0).is_ok());
}

#[test]
fn files_with_equal_names_or_listeners_are_rejected_but_any_free_port_is_a_different_one() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name, more| written(directory.path(), name, more);
    assert!(load_all(&[file("a", ""), file("b", "")]).is_ok());
    let twice = file("a", "");
    assert_eq!(complaints(load_all(&[twice.clone(), twice])), ["name"]);
    let keys = complaints(load_all(&[
        file("a", "drain = \"7s\""),
        file("b", "admin.listen = \"off\""),
        file("c", "runtime.threads = 2"),
    ]));
    assert_eq!(keys, ["admin.listen", "runtime.threads"]);
}

/// Two files of which the first sets keys of the process, with these keys of the second one before and after a change.
/// Returns the keys that a reload of the one at `place` complains about.
fn reload_of(
    place: usize,
    [process, changed_process]: [&str; 2],
    [before, after]: [&str; 2],
) -> Vec<String> {
    let directory = tempfile::tempdir().unwrap();
    let write = |process: &str, more: &str| {
        let first = written(directory.path(), "a", process);
        let second = written(directory.path(), "b", "");
        let path = second.file.clone().unwrap();
        let mut text = std::fs::read_to_string(&path).unwrap();
        for line in more.lines() {
            let (key, value) = line.split_once(" = ").unwrap();
            let known = text
                .lines()
                .find(|known| known.starts_with(&format!("{key} = ")));
            let known = known.unwrap().to_owned();
            text = text.replace(&known, &format!("{key} = {value}"));
        }
        std::fs::write(path, text).unwrap();
        [first, second]
    };
    let all = write(process, before);
    let loaded = load_all(&all).unwrap_or_else(|problems| panic!("{problems}"));
    write(changed_process, after);
    let again = load_one_of(
        &all,
        place,
        &Surroundings::default(),
        &loaded[place].digests,
        &loaded[place].digests,
    );
    again.map_or_else(|problems| complaints(Err(problems)), |_| Vec::new())
}

#[test]
fn a_reload_judges_a_proxy_by_the_admin_listener_that_another_file_sets() {
    let admin = |port: u16| format!("admin.listen = \"127.0.0.1:{port}\"");
    let (first, second) = (admin(7001), admin(7002));
    let both = [&*first, &*first];
    let upstream = |port: u16| format!("upstream.url = \"http://127.0.0.1:{port}\"");
    let listen = |port: u16| format!("listen = \"127.0.0.1:{port}\"");
    let token = |port: u16| format!("url = \"http://127.0.0.1:{port}\"");
    let of_b = |before: &str, after: &str| reload_of(1, both, [before, after]);
    assert_eq!(of_b(&upstream(7000), &upstream(7001)), ["upstream.url"]);
    assert_eq!(of_b(&token(7000), &token(7001)), ["token.url"]);
    assert_eq!(of_b(&listen(7000), &listen(7001)), ["admin.listen"]);
    // Nobody listens on the default address.
    assert_eq!(of_b(&upstream(7000), &upstream(6750)), [""; 0]);
    assert_eq!(of_b(&upstream(6750), &listen(7000)), [""; 0]);

    // The file that has changed gives way.
    let of_a = |of_b: &str| reload_of(0, [&first, &second], [of_b, of_b]);
    assert_eq!(of_a(&upstream(7000)), [""; 0]);
    assert_eq!(of_a(&upstream(7002)), ["upstream.url"]);
    assert_eq!(of_a(&listen(7002)), ["admin.listen"]);
    let unchanged = reload_of(1, [&first, &second], [&listen(7002), &listen(7002)]);
    assert_eq!(unchanged, [""; 0]);
    // Nor does an invalid file concern another one.
    let invalid = reload_of(1, [&first, "admin.listen = \"x\""], ["", &upstream(7001)]);
    assert_eq!(invalid, [""; 0]);
    let broken = reload_of(1, [&first, "admin.listen = "], ["", &upstream(6750)]);
    assert_eq!(broken, [""; 0]);
}

#[test]
fn without_any_admin_listener_in_a_file_a_reload_judges_by_the_default_one() {
    let keys = reload_of(
        1,
        ["", ""],
        ["", "upstream.url = \"http://localhost:6750\""],
    );
    assert_eq!(keys, ["upstream.url"]);
}

/// The problem of the second of two files with these values of `listen`.
fn conflict(first: &str, second: &str) -> Option<String> {
    let directory = tempfile::tempdir().unwrap();
    let mut files = Vec::new();
    for (name, listen) in [("a", first), ("b", second)] {
        let file = written(directory.path(), name, "guard.network = \"open\"");
        let path = file.file.clone().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replace("127.0.0.1:0", listen)).unwrap();
        files.push(file);
    }
    let problems = load_all(&files).err()?;
    let one = problems.iter().next().unwrap();
    assert_eq!(one.key, "listen");
    Some(one.problem.clone())
}

#[test]
fn two_proxies_cannot_listen_on_addresses_that_one_socket_would_take() {
    let taken = "127.0.0.1:7001";
    for (other, words) in [
        ("127.0.0.1:7001", "is also used by "),
        ("localhost:7001", "have an address in common"),
        ("LOCALHOST:7001", "have an address in common"),
        ("0.0.0.0:7001", "have an address in common"),
        #[cfg(not(windows))]
        ("[::]:7001", "have an address in common"),
        ("[::ffff:127.0.0.1]:7001", "have an address in common"),
        ("[::ffff:0.0.0.0]:7001", "have an address in common"),
    ] {
        for (first, second) in [(taken, other), (other, taken)] {
            let problem = conflict(first, second).unwrap_or_default();
            assert!(problem.contains(words), "{first} {second}: {problem}");
        }
    }
    for other in [
        "127.0.0.1:7002",
        "127.0.0.2:7001",
        "[::1]:7001",
        "127.0.0.1:0",
    ] {
        assert_eq!(conflict(taken, other), None, "{other}");
    }
    #[cfg(unix)]
    {
        assert!(conflict("unix:/run/a", "unix:/run/a").is_some());
        assert_eq!(conflict("unix:/run/a", "unix:/run/b"), None);
        for other in ["unix:/run/a/x", "unix:/run/a/x/y"] {
            for (first, second) in [("unix:/run/a", other), (other, "unix:/run/a")] {
                let problem = conflict(first, second).unwrap_or_default();
                assert!(
                    problem.contains("cannot exist together"),
                    "{second}: {problem}"
                );
            }
        }
        assert_eq!(conflict("unix:/run/a", "unix:/run/ab/x"), None);
        for other in ["unix:/run/./a", "unix:/run//a", "unix:/run/x/../a"] {
            assert!(conflict("unix:/run/a", other).is_some(), "{other}");
        }
    }
}

#[cfg(unix)]
#[test]
fn sockets_that_links_lead_to_the_same_place_cannot_both_be_listened_on() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| format!("unix:{}", directory.path().join(name).display());
    std::fs::create_dir(directory.path().join("real")).unwrap();
    std::os::unix::fs::symlink("real", directory.path().join("link")).unwrap();
    let real = at("real/s");
    for other in [at("link/s"), at("real/../link/s")] {
        for (first, second) in [(&real, &other), (&other, &real)] {
            let problem = conflict(first, second).unwrap_or_default();
            assert!(
                problem.contains("have an address in common"),
                "{second}: {problem}"
            );
        }
        let one = written(
            directory.path(),
            "one",
            &format!("admin.listen = {other:?}"),
        );
        let path = one.file.clone().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replace("127.0.0.1:0", &real)).unwrap();
        assert_eq!(complaints(load_all(&[one])), ["admin.listen"], "{other}");
    }
    assert_eq!(conflict(&real, &at("link/t")), None);
}

/// A proxy at port `listen` with a sign-in that returns to port `redirect`.
fn with_sign_in(directory: &Path, name: &str, listen: u16, redirect: u16) -> Overrides {
    let file = written(directory, name, "");
    let path = file.file.clone().unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let text = text.replace("127.0.0.1:0", &format!("localhost:{listen}"));
    let sign_in = format!(
        "grant = \"authorization_code\"\nauthorization_url = \"http://localhost:2/a\"\n\
         redirect_url = \"http://127.0.0.1:{redirect}/callback\"\n"
    );
    std::fs::write(&path, text + &sign_in).unwrap();
    file
}

#[test]
fn no_proxy_listens_where_the_sign_in_of_another_one_comes_back() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str, listen, redirect| with_sign_in(directory.path(), name, listen, redirect);
    let both = [at("a", 7001, 7003), at("b", 7002, 7003)];
    assert!(load_all(&both).is_ok());
    let listens = [at("a", 7001, 7003), at("b", 7003, 7004)];
    assert_eq!(complaints(load_all(&listens)), ["listen"]);
    let returns = [at("a", 7001, 7003), at("b", 7002, 7001)];
    assert_eq!(complaints(load_all(&returns)), ["token.redirect_url"]);
}

#[test]
fn a_reload_judges_a_redirect_by_where_the_other_proxies_listen() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str, listen, redirect| with_sign_in(directory.path(), name, listen, redirect);
    let all = [at("a", 7001, 7003), at("b", 7002, 7004)];
    let before = load_all(&all).ok().unwrap();
    let again = |place: usize| {
        let surroundings = Surroundings::default();
        let loaded = load_one_of(
            &all,
            place,
            &surroundings,
            &before[place].digests,
            &before[place].digests,
        );
        loaded.map(|one| vec![one])
    };
    at("b", 7002, 7001);
    assert_eq!(complaints(again(1)), ["token.redirect_url"]);
    // The file that has not changed is not the one to give way.
    assert!(again(0).is_ok());
    at("b", 7003, 7004);
    assert_eq!(complaints(again(1)), ["listen"]);
    assert!(again(0).is_ok());
}
