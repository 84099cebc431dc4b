//! The table of metrics in `docs/metrics.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use prometheus::proto::{MetricFamily, MetricType};

/// Each metric with its type, its labels and its help, in the order of the names.
pub(super) fn table(mut families: Vec<MetricFamily>) -> String {
    families.sort_by(|one, other| one.name().cmp(other.name()));
    let mut text =
        String::from("| metric | type | labels | meaning |\n| --- | --- | --- | --- |\n");
    for family in &families {
        let _infallible = writeln!(
            text,
            "| `{}` | {} | {} | {} |",
            family.name(),
            type_of(family),
            labels(family),
            family.help()
        );
    }
    text
}

fn type_of(family: &MetricFamily) -> &'static str {
    match family.get_field_type() {
        MetricType::COUNTER => "counter",
        MetricType::GAUGE => "gauge",
        MetricType::HISTOGRAM => "histogram",
        MetricType::SUMMARY => "summary",
        MetricType::UNTYPED => "untyped",
    }
}

/// Each label with its values, if there are only a few.
fn labels(family: &MetricFamily) -> String {
    const FEW: usize = 8;
    let mut labels: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for pair in family
        .get_metric()
        .iter()
        .flat_map(prometheus::proto::Metric::get_label)
    {
        labels.entry(pair.name()).or_default().insert(pair.value());
    }
    let each = labels.into_iter().map(|(name, values)| {
        let is_listed = name != "version" && values.len() <= FEW && !values.contains("");
        if is_listed {
            let values: Vec<String> = values.iter().map(|value| format!("`{value}`")).collect();
            format!("`{name}`: {}", values.join(", "))
        } else {
            format!("`{name}`")
        }
    });
    let all: Vec<String> = each.collect();
    if all.is_empty() {
        "–".to_owned()
    } else {
        all.join("; ")
    }
}
