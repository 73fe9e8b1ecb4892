//! Rows, and the numbers in them.

use std::time::{Duration, Instant};

/// One row.
pub struct Row {
    /// Its name.
    pub name: &'static str,
    /// What was measured.
    pub value: f64,
    /// Its unit.
    pub unit: &'static str,
    /// The most it should be.
    pub target: Option<f64>,
    /// The least that the same could take, measured in the same run.
    pub baseline: Option<f64>,
    /// What it is about.
    pub what: String,
}

impl Row {
    /// A row without target and baseline.
    pub fn new(name: &'static str, value: f64, unit: &'static str, what: impl Into<String>) -> Self {
        Self { name, value, unit, target: None, baseline: None, what: what.into() }
    }

    /// With the most it should be.
    pub fn at_most(self, target: f64) -> Self {
        Self { target: Some(target), ..self }
    }

    /// With the least that the same could take.
    pub fn against(self, baseline: f64) -> Self {
        Self { baseline: Some(baseline), ..self }
    }

    /// Prints it as a JSON object.
    pub fn print(&self) {
        let mut object = serde_json::Map::new();
        object.insert("name".to_owned(), self.name.into());
        object.insert("value".to_owned(), rounded(self.value).into());
        object.insert("unit".to_owned(), self.unit.into());
        let optional = [("target", self.target), ("baseline", self.baseline)];
        for (key, value) in optional.into_iter().filter_map(|(key, value)| Some((key, value?))) {
            object.insert(key.to_owned(), rounded(value).into());
        }
        object.insert("what".to_owned(), self.what.as_str().into());
        println!("{}", serde_json::Value::from(object));
    }
}

/// To a thousandth.
fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

/// How long something takes, milliseconds.
pub fn timed_ms(act: impl FnOnce()) -> f64 {
    let begun = Instant::now();
    act();
    ms(begun.elapsed())
}

/// Milliseconds.
pub fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// The value below which a share of all values lies, 0.5 for the median; 0 where there are none.
pub fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    #[allow(clippy::cast_sign_loss)]
    let at = (share * sorted.len() as f64) as usize;
    sorted.get(at.min(sorted.len().saturating_sub(1))).copied().unwrap_or_default()
}
