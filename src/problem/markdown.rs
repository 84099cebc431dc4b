//! The table of reasons in docs/troubleshooting.md.

use std::fmt::Write as _;

use super::reason::Reason;

/// Every reason with its statuses, who is responsible and what to do, as a Markdown table.
#[must_use]
pub fn markdown_table() -> String {
    let mut text = String::from(
        "| `reason` | status | gRPC | responsible | what to do |\n| --- | --- | --- | --- | --- |\n",
    );
    let mut reasons = Reason::ALL.as_slice();
    while let [first, ..] = reasons {
        let same_name = reasons
            .iter()
            .take_while(|reason| reason.name() == first.name())
            .count();
        let (row, rest) = reasons.split_at(same_name);
        write_row(&mut text, *first, row);
        reasons = rest;
    }
    text
}

/// The row of a name, with what its `variants` say differently.
fn write_row(text: &mut String, first: Reason, variants: &[Reason]) {
    let status = match first {
        Reason::UpstreamStalled => "in the log only".to_owned(),
        _ => distinct(variants, |reason| reason.status().as_str().to_owned()).join(", "),
    };
    let grpc = distinct(variants, |reason| {
        let status = reason.grpc_status();
        format!("{} ({})", status.name(), status.code())
    })
    .join(", ");
    let remedies = distinct(variants, |reason| reason.remedy().to_owned());
    let remedy = if let [only] = remedies.as_slice() {
        only.clone()
    } else {
        distinct(variants, |reason| {
            format!("{}: {}", reason.status().as_str(), reason.remedy())
        })
        .join(" ")
    };
    let _infallible = writeln!(
        text,
        "| `{}` | {status} | {grpc} | {} | {remedy} |",
        first.name(),
        first.responsible(),
    );
}

fn distinct(variants: &[Reason], text: impl Fn(Reason) -> String) -> Vec<String> {
    let mut texts: Vec<_> = variants.iter().map(|reason| text(*reason)).collect();
    texts.dedup();
    texts
}
