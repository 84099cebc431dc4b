use super::*;

#[test]
fn a_new_key_is_different_each_time_and_valid() {
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
    assert_eq!(parse_keys(both.as_bytes()).unwrap(), expected);
}

#[test]
fn the_checksum_is_the_one_that_secret_scanners_compute() {
    let key = "cbk_0123456789ABCDEFGHIJKLMNOPQRST3aqCqY"; // computed by another program
    assert_eq!(
        parse_keys(key.as_bytes()),
        Ok(vec![KeyDigest::of(key.as_bytes())])
    );
}

#[test]
fn every_letter_of_a_new_key_is_equally_likely() {
    let bytes: Vec<u8> = (0..=u8::MAX).collect();
    let letters: Vec<char> = letters_of(&bytes).collect();
    for letter in LETTERS {
        let count = letters.iter().filter(|one| **one == char::from(*letter));
        assert_eq!(count.count(), 4, "{letter}");
    }
    assert_eq!(letters.len(), 4 * LETTERS.len());
}

#[test]
fn comments_empty_lines_and_surrounding_white_space_are_ignored() {
    let text = b"# alice, until May\n\n  a-key-of-my-own-1 \r\n#a-key-of-my-own-2\n";
    assert_eq!(
        parse_keys(text).unwrap(),
        [KeyDigest::of(b"a-key-of-my-own-1")]
    );
    assert_eq!(parse_keys(b"# none").unwrap(), []);
}

#[test]
fn the_error_names_the_line_that_is_not_a_key() {
    let new = new_key().unwrap();
    let mut mistyped = new.to_string().into_bytes();
    mistyped[10] = if mistyped[10] == b'a' { b'b' } else { b'a' };
    for (line, expected) in [
        (&b"fifteen-letters"[..], CallerKeyError::Short(2)),
        (&[b'x'; 257], CallerKeyError::Long(2)),
        (b"two words in a line", CallerKeyError::NotSendable(2)),
        (
            "schlüssel-schlüssel".as_bytes(),
            CallerKeyError::NotSendable(2),
        ),
        (&mistyped, CallerKeyError::Mistyped(2)),
        (&new.as_bytes()[..39], CallerKeyError::Mistyped(2)),
    ] {
        let text = [b"# first\n", line].concat();
        assert_eq!(parse_keys(&text), Err(expected));
    }
}

#[test]
fn a_digest_is_never_printed() {
    assert_eq!(format!("{:?}", KeyDigest::of(b"x")), "KeyDigest(..)");
}

#[test]
fn a_key_that_we_made_is_found_wherever_it_stands_in_a_text() {
    let key = new_key().unwrap();
    let key = key.as_str();
    for text in [
        key.to_owned(),
        format!("Bearer {key}"),
        format!("x:{key}"),
        format!("eyJ.{key}.x"),
        "Bearer cbk_mistyped".to_owned(),
        "Digest username=\"cbk_x\"".to_owned(),
    ] {
        assert!(contains_made_key(text.as_bytes()), "{text}");
    }
    let mistyped = format!("x{}", &key[..key.len() - 1]);
    for text in [
        "",
        "cbk",
        "Bearer eyJ.acbk_a.x",
        "Bearer eyJ.cbk_a",
        &mistyped,
    ] {
        assert!(!contains_made_key(text.as_bytes()), "{text}");
    }
}
