use super::*;

fn is_ambiguous_letter(letter: char) -> bool {
    is_ambiguous_text(letter.encode_utf8(&mut [0; 4]))
}

#[test]
fn a_letter_that_folds_to_ascii_or_to_several_letters_is_ambiguous() {
    for letter in
        "ßẞǰẖẗẘẙẚŉﬁﬆևﬓᾳᾼſ\u{212a}İ\u{37e}¨´½ª…\u{115f}\u{61c}\u{1680}\u{2800}¡¢¥¦©®×".chars()
    {
        assert!(is_ambiguous_letter(letter), "{letter}");
    }
    for letter in "äÄüéñçøœæþðŠžłāΐΰΣςσµμЖжאعำ東京あがカ한§°".chars()
    {
        assert!(!is_ambiguous_letter(letter), "{letter}");
    }
}

#[test]
fn text_that_normalization_changes_is_ambiguous() {
    for text in [
        "/e\u{301}",
        "/か\u{3099}",
        "/\u{1112}\u{1161}\u{11ab}",
        "/\u{1fd3}",
        "/\u{f951}",
    ] {
        assert!(is_ambiguous_text(text), "{text}");
    }
    for text in ["/été/が/한/ΐ/ภาษาไทย/हिन्दी/עִברית", "/plain~1"]
    {
        assert!(!is_ambiguous_text(text), "{text}");
    }
}

/// For all letters that have case: whichever way a server ignores it, it finds two paths equal only if their foldings
/// are.
#[test]
fn every_letter_that_may_pass_folds_like_its_other_cases_and_never_to_ascii() {
    let folded = fold;
    let has_case = |letter: &char| {
        !letter.to_lowercase().eq([*letter]) || !letter.to_uppercase().eq([*letter])
    };
    let letters = ('\u{80}'..=char::MAX).filter(has_case);
    for letter in letters.filter(|letter| !is_ambiguous_letter(*letter)) {
        let own = folded(letter.encode_utf8(&mut [0; 4]));
        let lower: String = letter.to_lowercase().collect();
        let upper: String = letter.to_uppercase().collect();
        assert_eq!(folded(&lower), own, "{letter} {}", u32::from(letter));
        assert_eq!(folded(&upper), own, "{letter} {}", u32::from(letter));
        assert!(own.chars().all(|one| !one.is_ascii()), "{letter}");
        let compatible = ComposingNormalizerBorrowed::new_nfkc()
            .normalize(&own)
            .into_owned();
        let all = [lower, upper, compatible].concat();
        assert!(all.chars().all(|one| !one.is_ascii()), "{letter}");
    }
}

#[test]
fn letters_that_nfkc_takes_for_the_same_fold_alike() {
    for (one, other) in [
        ("/ทำ", "/ท\u{e4d}\u{e32}"),
        ("/سر", "/\u{feb3}\u{feae}"),
        ("/لا", "/\u{fefb}"),
        ("/µ", "/μ"),
        ("/ϕ", "/Φ"),
        ("/ㅋ", "/\u{110f}"),
    ] {
        assert_eq!(fold(one), fold(other), "{one}");
    }
    let letters = ('\u{80}'..=char::MAX).filter(|letter| !is_ambiguous_letter(*letter));
    for letter in letters {
        let text = String::from(letter);
        let compatible = ComposingNormalizerBorrowed::new_nfkc()
            .normalize(&text)
            .into_owned();
        assert_eq!(
            fold(&text),
            fold(&compatible),
            "{letter} {}",
            u32::from(letter)
        );
    }
}

#[test]
fn session_segments_of_aspnet_are_recognized() {
    for path in ["/(S(a))/admin", "/x/(s(a))", "/(A(x)F(y))/", "/(X("] {
        assert!(has_session_segment(path), "{path}");
    }
    for path in ["/Products(1)", "/(1)", "/(a)/b", "/a(S(x))", "/((x))", "/("] {
        assert!(!has_session_segment(path), "{path}");
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
