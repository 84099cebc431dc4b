use super::*;

#[test]
fn a_letter_that_case_folding_makes_ascii_or_several_letters_is_ambiguous() {
    for letter in "ßẞǰẖẗẘẙẚŉﬁﬆևﬓᾳᾼſKİ".chars() {
        assert!(is_ambiguous_letter(letter), "{letter}");
    }
    for letter in "äÄüéñçøœæþðŠžΐΰΣςσµμЖжאع東京あ한".chars() {
        assert!(!is_ambiguous_letter(letter), "{letter}");
    }
}

/// Over all of Unicode: whichever way a server ignores case, it finds two paths equal only if their foldings are.
#[test]
fn every_letter_that_may_pass_folds_like_its_other_cases_and_never_to_ascii() {
    let folded = |text: &str| fold_case(text).into_owned();
    for letter in ('\u{80}'..=char::MAX).filter(|letter| !is_ambiguous_letter(*letter)) {
        let own = folded(letter.encode_utf8(&mut [0; 4]));
        let lower: String = letter.to_lowercase().collect();
        let upper: String = letter.to_uppercase().collect();
        assert_eq!(folded(&lower), own, "{letter} {}", u32::from(letter));
        assert_eq!(folded(&upper), own, "{letter} {}", u32::from(letter));
        assert!(own.chars().all(|one| !one.is_ascii()), "{letter}");
        assert!(
            lower
                .chars()
                .chain(upper.chars())
                .all(|one| !one.is_ascii())
        );
    }
}

#[test]
fn short_names_and_streams_of_ntfs_are_recognized() {
    for path in [
        "/SECRE~1/x",
        "/a/PROGRA~12",
        "/pub/secret::$DATA/x",
        "/a:$I30:$INDEX_ALLOCATION/x",
        "/~1",
    ] {
        assert!(has_ntfs_alias(path), "{path}");
    }
    for path in [
        "/~user",
        "/a~",
        "/a~/1",
        "/x:cancel",
        "/a/$b",
        "/a:",
        "/:/$x",
        "/1~x",
    ] {
        assert!(!has_ntfs_alias(path), "{path}");
    }
}
