//! One metric with all its samples.

use prometheus::proto::{Bucket, Counter, Gauge, Histogram, LabelPair, Metric, MetricFamily, MetricType};

use super::super::reading::Drains;

/// A metric: its name, what it means, and its samples.
#[derive(Clone, Debug)]
pub struct Family {
    name: &'static str,
    help: &'static str,
    kind: MetricType,
    metrics: Vec<Metric>,
}

impl Family {
    const fn new(name: &'static str, help: &'static str, kind: MetricType) -> Self {
        Self { name, help, kind, metrics: Vec::new() }
    }

    /// What goes up and down.
    #[must_use]
    pub const fn gauge(name: &'static str, help: &'static str) -> Self {
        Self::new(name, help, MetricType::GAUGE)
    }

    /// What only goes up.
    #[must_use]
    pub const fn counter(name: &'static str, help: &'static str) -> Self {
        Self::new(name, help, MetricType::COUNTER)
    }

    /// How long drains took.
    #[must_use]
    pub fn histogram(name: &'static str, help: &'static str, drains: &Drains) -> Self {
        let buckets = drains.buckets().map(|(bound, count)| {
            let mut bucket = Bucket::default();
            bucket.set_upper_bound(bound);
            bucket.set_cumulative_count(count);
            bucket
        });
        let mut histogram = Histogram::default();
        histogram.set_bucket(buckets.collect());
        histogram.set_sample_count(drains.count);
        histogram.set_sample_sum(drains.sum_s);
        let mut metric = Metric::default();
        metric.set_histogram(histogram);
        Self { metrics: vec![metric], ..Self::new(name, help, MetricType::HISTOGRAM) }
    }

    /// With a sample.
    #[must_use]
    pub fn sample(mut self, labels: &[(&str, &str)], value: u64) -> Self {
        self.add(labels, value);
        self
    }

    /// Adds a sample of a whole number.
    pub fn add(&mut self, labels: &[(&str, &str)], value: u64) {
        self.add_real(labels, value as f64);
    }

    /// Adds a sample.
    pub fn add_real(&mut self, labels: &[(&str, &str)], value: f64) {
        let pairs = labels.iter().map(|(name, value)| {
            let mut pair = LabelPair::default();
            pair.set_name((*name).to_owned());
            pair.set_value((*value).to_owned());
            pair
        });
        let mut metric = Metric::default();
        metric.set_label(pairs.collect());
        if self.kind == MetricType::COUNTER {
            let mut counter = Counter::default();
            counter.set_value(value);
            metric.set_counter(counter);
        } else {
            let mut gauge = Gauge::default();
            gauge.set_value(value);
            metric.set_gauge(gauge);
        }
        self.metrics.push(metric);
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// What it means.
    #[must_use]
    pub const fn help(&self) -> &'static str {
        self.help
    }

    /// Its type, as the text format calls it.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self.kind {
            MetricType::COUNTER => "counter",
            MetricType::HISTOGRAM => "histogram",
            _ => "gauge",
        }
    }

    /// Names of its labels.
    #[must_use]
    pub fn labels(&self) -> Vec<&str> {
        let first = self.metrics.first().map(Metric::get_label).unwrap_or_default();
        first.iter().map(LabelPair::name).collect()
    }

    /// True where there is no sample.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.metrics.is_empty()
    }

    pub(super) fn into_proto(self) -> MetricFamily {
        let mut family = MetricFamily::default();
        family.set_name(self.name.to_owned());
        family.set_help(self.help.to_owned());
        family.set_field_type(self.kind);
        family.set_metric(self.metrics);
        family
    }
}
