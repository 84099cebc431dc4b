//! Flags of `init` that are refused at once.

use super::identities::{SERVER, command_line, usage_of};

const TYPED: &str = "--subject-token-type=urn:ietf:params:oauth:token-type:jwt";

/// What `init` says about these flags, together with a server and a client id if they name one.
#[track_caller]
fn assert_refused(words: &[&str], problem: &str) {
    let client = [SERVER, "--client-id=id"];
    let sources = ["--token-command=", "--token-file=", "--token-http="];
    let is_source = |word: &&str| sources.iter().any(|start| word.starts_with(start));
    let of_source = words.iter().any(is_source);
    let client = if of_source { &[][..] } else { &client[..] };
    let said = match command_line(&[client, words].concat()) {
        Ok(args) => usage_of(&args),
        Err(problem) => problem,
    };
    assert!(said.contains(problem), "{words:?}: {said}");
}

#[test]
fn flags_that_the_command_line_does_not_combine_are_refused() {
    for (words, problem) in [
        (
            &["--token-command=x", "--token-file=y"][..],
            "'--token-command <COMMAND>' cannot be used with '--token-file <FILE>'",
        ),
        (&["--token-file=y", SERVER], "cannot be used with"),
        (
            &["--token-http=http://127.0.0.1/", "--param=a=b"],
            "cannot be used with",
        ),
        (&["--token-file=y", "--auth=none"], "cannot be used with"),
        (
            &["--token-file=y", "--secret-file=x"],
            "cannot be used with",
        ),
        (
            &["--token-file=y", "--token-http-header=a:b"],
            "--token-http-header needs --token-http:",
        ),
        (
            &["--assertion-file=a", "--subject-token-file=b", TYPED],
            "cannot be used with",
        ),
        (
            &["--assertion-file=a", "--private-key-file=k", "--claim=a=b"],
            "cannot be used with",
        ),
        (&["--claim=a=b"], "--private-key-file <FILE>"),
        (
            &["--assertion-file=a", "--auth=none", TYPED],
            "--subject-token-type needs --subject-token-file",
        ),
        (&["--token-file=y", "--claim=a=b"], "cannot be used with"),
        (
            &["--token-file=y", "--client-assertion-type=urn:x"],
            "cannot be used with",
        ),
        (
            &["--client-assertion-type=urn:x"],
            "--client-assertion-file <FILE>",
        ),
        (&["--keep-authorization"], "--token-header <NAME>"),
        (&["--subject-token-file=b"], "--subject-token-type <TYPE>"),
        (
            &["--actor-token-file=b", "--actor-token-type=c"],
            "--subject-token-file <FILE>",
        ),
        (
            &["--auth=basic"],
            "client_secret_basic, client_secret_post, client_secret_jwt, private_key_jwt, client_assertion, none",
        ),
    ] {
        assert_refused(words, problem);
    }
}

#[test]
fn flags_whose_values_do_not_fit_together_are_refused() {
    for (words, problem) in [
        (
            &["--auth=none"][..],
            "--auth none is only for --grant authorization_code, device_code, jwt_bearer or token_exchange",
        ),
        (
            &["--grant=jwt_bearer", "--auth=none"],
            "--grant jwt_bearer needs --assertion-file",
        ),
        (
            &["--grant=token_exchange", "--auth=none"],
            "--grant token_exchange needs --subject-token-file",
        ),
        (
            &[
                "--grant=client_credentials",
                "--assertion-file=a",
                "--auth=none",
            ],
            "--assertion-file is only for --grant jwt_bearer",
        ),
        (
            &[
                "--grant=jwt_bearer",
                "--private-key-file=k",
                "--subject-token-file=b",
                TYPED,
            ],
            "--subject-token-file is only for --grant token_exchange",
        ),
        (
            &[
                "--grant=token_exchange",
                "--private-key-file=k",
                "--claim=a=b",
            ],
            "--claim is only for --grant jwt_bearer",
        ),
        (
            &[
                "--grant=jwt_bearer",
                "--private-key-file=k",
                "--auth=private_key_jwt",
            ],
            "the private key signs the assertion",
        ),
        (
            &["--secret-command=x", "--private-key-file=k"],
            "the secret is not used, because the client authenticates by private_key_jwt",
        ),
        (
            &["--client-assertion-file=x", "--private-key-file=k"],
            "--private-key-file is not used, because the client authenticates by client_assertion",
        ),
        (
            &["--client-assertion-file=x", "--auth=client_secret_post"],
            "--client-assertion-file is not used",
        ),
        (
            &["--assertion-file=a", "--auth=none", "--secret-command=x"],
            "the secret is not used, because the client authenticates by none",
        ),
    ] {
        assert_refused(words, problem);
    }
}

#[test]
fn values_of_flags_that_no_configuration_could_have_are_refused() {
    for (words, problem) in [
        (
            &["--token-http=http://api.example.com/token"][..],
            "--token-http: \"http://api.example.com/token\" would send the token unencrypted",
        ),
        (
            &[
                "--token-http=http://127.0.0.1/",
                "--token-http-header=Host: x",
            ],
            "--token-http: headers has \"Host\", which the request sets itself",
        ),
        (
            &["--token-http=http://127.0.0.1/", "--token-http-header=x"],
            "--token-http-header: there is no ':'",
        ),
        (
            &["--client-assertion-file=c", "--client-assertion-type= "],
            "--client-assertion-type: is empty",
        ),
        (
            &["--token-command='"],
            "--token-command: this is not a command",
        ),
        (
            &[
                "--grant=jwt_bearer",
                "--auth=none",
                "--private-key-file=k",
                "--claim=exp=1",
            ],
            "--claim: exp is new for each assertion",
        ),
        (
            &["--private-key-file=k", "--claim==x"],
            "--claim: the name is empty",
        ),
        (
            &["--assertion-file=a", "--auth=none", "--param=scope=x"],
            "--param: scope is set by the token request itself",
        ),
        (
            &[
                "--assertion-file=a",
                "--auth=none",
                "--param=a=1",
                "--param=a=2",
            ],
            "--param: the same name is given twice",
        ),
    ] {
        assert_refused(words, problem);
    }
}

#[test]
fn fields_that_cannot_carry_the_token_are_refused() {
    for (words, problem) in [
        (
            &[
                "--client-assertion-file=c",
                "--token-header=X-Forwarded-For",
            ][..],
            "--token-header: X-Forwarded-For has a meaning of its own and cannot carry the token",
        ),
        (
            &["--token-file=f", "--token-header=a b"],
            "--token-header: \"a b\" is not a valid header name",
        ),
        (
            &["--token-file=f", "--token-prefix=a\r\nb"],
            "--token-prefix: \"a\\r\\nb\" cannot stand before the token",
        ),
        (
            &[
                "--token-file=f",
                "--token-header=Authorization",
                "--keep-authorization",
            ],
            "--keep-authorization: cannot be true, because the token is sent as Authorization",
        ),
    ] {
        assert_refused(words, problem);
    }
}

#[test]
fn without_a_terminal_the_flags_that_are_missing_are_named() {
    for (words, problem) in [
        (
            &["--assertion-file=a"][..],
            "--secret-stdin, --client-assertion-file or --auth none",
        ),
        (
            &["--auth=private_key_jwt"],
            "these are missing: --private-key-file;",
        ),
        (
            &["--auth=client_assertion"],
            "these are missing: --client-assertion-file;",
        ),
    ] {
        assert_refused(words, problem);
    }
}

#[test]
fn a_credential_is_not_taken_from_the_command_line_and_not_quoted() {
    for field in [
        "Authorization: hunter2-value",
        "proxy-authorization: hunter2-value",
        "Cookie: a=hunter2-value",
        "X-Api-Key: hunter2-value",
        "X-Vault-Token: hunter2-value",
        "X-IDENTITY-HEADER: hunter2-value",
        "X-Other: Bearer hunter2-value",
        "X-Other: basic hunter2-value",
    ] {
        let header = format!("--token-http-header={field}");
        let args = command_line(&["--token-http=http://127.0.0.1/", &header]);
        let said = usage_of(&args.unwrap());
        assert!(
            said.contains("may contain a credential, which other users could read")
                && !said.contains("hunter2"),
            "{field}: {said}"
        );
    }
    for name in ["password", "api_key", "Client-Secret"] {
        let param = format!("--param={name}=hunter2-value");
        let words = [
            "--assertion-file=a",
            "--auth=none",
            "--client-id=id",
            SERVER,
            &param,
        ];
        let said = usage_of(&command_line(&words).unwrap());
        assert!(
            said.contains("may contain a credential") && !said.contains("hunter2"),
            "{name}: {said}"
        );
    }
    for words in [
        [
            "--token-http=http://127.0.0.1/",
            "--token-http-header=Metadata-Flavor: Google",
        ],
        [
            "--token-http=http://127.0.0.1/",
            "--token-http-header=Metadata: true",
        ],
    ] {
        let said = usage_of(&command_line(&words).unwrap());
        assert!(said.starts_with("accepted: "), "{words:?}: {said}");
    }
    let words = [
        "--assertion-file=a",
        "--auth=none",
        SERVER,
        "--param=token_format=jwt",
    ];
    let said = usage_of(&command_line(&words).unwrap());
    assert!(said.starts_with("accepted: "), "{said}");
}
