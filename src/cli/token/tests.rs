use super::*;

#[test]
fn times_are_readable_and_control_characters_do_not_reach_the_terminal() {
    let Value::Object(claims) = json!({
        "exp": 3600, "iat": 0, "nbf": u64::MAX, "scope": "a\u{1b}[2J \"b\"", "groups": ["x", "\u{9b}31m\u{202e}"], "n": 1,
        "auth_time": 60.5,
    }) else {
        unreachable!("this is an object")
    };
    let decoded = DecodedToken {
        header: Map::new(),
        claims,
    };
    let text = decoded_text(&decoded, UNIX_EPOCH + Duration::from_mins(30));
    for line in [
        "  exp        1970-01-01T01:00:00Z (in 30m)\n",
        "  iat        1970-01-01T00:00:00Z (30m ago)\n",
        "  auth_time  1970-01-01T00:01:00Z (28m ago)\n",
        "  nbf        18446744073709551615\n",
        "  scope      a\\u{1b}[2J \"b\"\n",
        "  groups     [\"x\",\"\\u009b31m\\u202e\"]\n",
        "  n          1\n",
    ] {
        assert!(text.contains(line), "{line}{text}");
    }
}
