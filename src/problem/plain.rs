//! Markdown of the reference pages as plain text.

/// The text without marks of emphasis; a link becomes its own text, and code keeps its backticks.
pub(super) fn plain_text(markdown: &str) -> String {
    let unmarked = markdown.replace('*', "");
    let mut text = String::with_capacity(unmarked.len());
    let mut rest = unmarked.as_str();
    while let Some((before, link)) = rest.split_once('[') {
        let Some((label, (_, after))) = link
            .split_once("](")
            .and_then(|(label, target)| Some((label, target.split_once(')')?)))
        else {
            break;
        };
        text.push_str(before);
        text.push_str(label);
        rest = after;
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::plain_text;

    #[test]
    fn emphasis_goes_and_code_and_the_text_of_links_stay() {
        let markdown = "See [callers.md](callers.md): **set** `guard.hosts`, *then* [wait](x) [1].";
        assert_eq!(
            plain_text(markdown),
            "See callers.md: set `guard.hosts`, then wait [1]."
        );
    }
}
