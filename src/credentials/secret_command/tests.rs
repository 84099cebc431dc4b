use super::*;

fn shell(script: &str) -> Vec<String> {
    ["sh", "-c", script].map(str::to_owned).to_vec()
}

#[tokio::test]
async fn a_command_runs_in_the_root_directory_and_in_a_process_group_of_its_own() {
    let output = run_command(&shell("pwd; ps -o pgid= -p $$; echo $$"), 1024)
        .await
        .unwrap();
    let text = String::from_utf8(output.stdout.to_vec()).unwrap();
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    assert_eq!(lines[0], "/");
    assert_eq!(lines[1], lines[2], "it leads its group");
}

#[tokio::test]
async fn the_last_line_of_its_standard_error_is_kept_also_if_it_fails_or_prints_a_lot() {
    let good = run_command(&shell("echo first >&2; echo last >&2; echo secret"), 1024).await;
    let good = good.unwrap();
    assert_eq!(
        (&**good.stdout, good.said.as_deref()),
        (&b"secret\n"[..], Some("last"))
    );
    let script =
        "head -c 100000 /dev/zero | tr '\\0' 'x' >&2; echo >&2; echo not logged in >&2; exit 3";
    match run_command(&shell(script), 1024).await {
        Err(SecretError::CommandFailed { said, .. }) => {
            assert_eq!(said.as_deref(), Some("not logged in"));
        }
        other => panic!("{:?}", other.err()),
    }
}

/// The grandchild writes to a pipe, whose end shows that it has been killed.
#[tokio::test]
async fn what_a_command_has_started_is_killed_with_it() {
    let directory = tempfile::tempdir().unwrap();
    let fifo = directory.path().join("fifo");
    let status = std::process::Command::new("mkfifo").arg(&fifo).status();
    assert!(status.unwrap().success());
    let script = format!("(exec sleep 1000 >'{}') & wait", fifo.display());
    let words = shell(&script);
    let running = tokio::spawn(async move { run_command(&words, 1024).await.map(drop) });
    // Opens once the grandchild has opened it too.
    let mut reader = tokio::fs::File::open(&fifo).await.unwrap();
    running.abort();
    let mut rest = Vec::new();
    let ended = timeout(Duration::from_secs(20), reader.read_to_end(&mut rest)).await;
    assert!(ended.is_ok(), "the grandchild still runs");
}

#[tokio::test]
async fn a_program_that_is_left_behind_does_not_delay_the_output() {
    let script = "sleep 1000 >/dev/null & echo $!; echo secret";
    let before = tokio::time::Instant::now();
    let output = run_command(&shell(script), 1024).await.unwrap();
    assert!(before.elapsed() < Duration::from_secs(20));
    let text = String::from_utf8(output.stdout.to_vec()).unwrap();
    let (process, secret) = text.trim_end().split_once('\n').unwrap();
    assert_eq!(secret, "secret");
    let killed = std::process::Command::new("kill").arg(process).status();
    assert!(killed.unwrap().success(), "it was not killed");
}

#[tokio::test]
async fn a_program_that_is_left_behind_with_the_output_open_does_not_hold_it_up() {
    for script in [
        "echo secret; echo last >&2; sleep 60 & exit 0",
        "echo secret; echo last >&2; sleep 60 2>/dev/null & exit 0",
    ] {
        let before = tokio::time::Instant::now();
        let output = run_command(&shell(script), 1024).await.unwrap();
        assert!(before.elapsed() < Duration::from_secs(20), "{script}");
        let found = (&**output.stdout, output.said.as_deref());
        assert_eq!(found, (&b"secret\n"[..], Some("last")), "{script}");
    }
}

#[tokio::test]
async fn a_command_that_prints_without_end_is_ended_and_one_that_prints_a_lot_is_read() {
    let endless = run_command(&shell("echo why >&2; cat /dev/zero"), 1024).await;
    assert!(matches!(endless, Err(SecretError::TooLong(_))));
    let script = "head -c 65536 /dev/zero | tr '\\0' x; head -c 200000 /dev/zero >&2; printf x";
    let output = run_command(&shell(script), 70_000).await.unwrap();
    assert_eq!(output.stdout.len(), 65_537);
}
