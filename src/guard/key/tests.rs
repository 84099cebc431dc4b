use super::*;

#[test]
fn a_new_key_is_long_enough_new_each_time_and_taken() {
    let (one, other) = (new_key().unwrap(), new_key().unwrap());
    assert_ne!(one, other);
    assert_eq!(one.len(), 40);
    assert!(
        one[4..]
            .bytes()
            .all(|letter| letter.is_ascii_alphanumeric())
    );
    let both = format!("{}\n{}\n", *one, *other);
    let expected = [&one, &other].map(|key| KeyDigest::of(key.as_bytes()));
    assert_eq!(keys_in(both.as_bytes()).unwrap(), expected);
}

#[test]
fn comments_empty_lines_and_blanks_at_the_ends_hold_no_key() {
    let text = b"# alice, until May\n\n  a-key-of-my-own-1 \r\n#a-key-of-my-own-2\n";
    assert_eq!(
        keys_in(text).unwrap(),
        [KeyDigest::of(b"a-key-of-my-own-1")]
    );
    assert_eq!(keys_in(b"# none").unwrap(), []);
}

#[test]
fn a_line_that_cannot_be_a_key_is_named() {
    let new = new_key().unwrap();
    let mut mistyped = new.to_string().into_bytes();
    mistyped[10] = if mistyped[10] == b'a' { b'b' } else { b'a' };
    for (line, expected) in [
        (&b"fifteen-letters"[..], KeyError::Short(2)),
        (&[b'x'; 257], KeyError::Long(2)),
        (b"two words in a line", KeyError::NotSendable(2)),
        ("schlüssel-schlüssel".as_bytes(), KeyError::NotSendable(2)),
        (&mistyped, KeyError::Mistyped(2)),
        (&new.as_bytes()[..39], KeyError::Mistyped(2)),
    ] {
        let text = [b"# first\n", line].concat();
        assert_eq!(keys_in(&text), Err(expected));
    }
}

#[test]
fn a_digest_does_not_print() {
    assert_eq!(format!("{:?}", KeyDigest::of(b"x")), "KeyDigest(..)");
}
