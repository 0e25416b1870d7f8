//! Seeded home-insurance quotes, month by month, whose market moves in the fourth month.
//!
//! A row is a home that was insured: what is known when a quote is asked for, and the annual
//! cost of claims that the price must cover (`claim_cost`, known later). Until month 3 homes are
//! worth what they always were; from month 4 property values are about 45 % higher, and
//! rebuilding costs have risen with them, so what a model learned before is stale twice: its
//! inputs move, and the same input means another cost.

use std::fmt::Write as _;

/// The header of a month's file.
pub const HEADER: &str = "quote_id,quoted_at,region,wall_type,build_year,floor_area,bedrooms,market_value,claims_before,alarm,claim_cost";

/// One insured home.
#[derive(Clone, Debug, PartialEq)]
pub struct Quote {
    /// Names the quote: month and number.
    pub quote_id: String,
    /// When it was asked for, RFC 3339 in UTC.
    pub quoted_at: String,
    /// Where the home stands.
    pub region: &'static str,
    /// What its walls are made of; sometimes unknown.
    pub wall_type: Option<&'static str>,
    /// When it was built.
    pub build_year: u32,
    /// Square metres.
    pub floor_area: f64,
    /// How many.
    pub bedrooms: u32,
    /// What it would sell for, in currency units.
    pub market_value: f64,
    /// Claims in the five years before.
    pub claims_before: u32,
    /// Whether there is a burglar alarm.
    pub alarm: bool,
    /// Annual cost of claims, known later.
    pub claim_cost: f64,
}

const REGIONS: [(&str, f64); 5] =
    [("north", 0.8), ("east", 0.95), ("south", 1.25), ("west", 1.0), ("coast", 1.4)];
const WALLS: [(&str, f64); 4] = [("brick", 1.0), ("timber", 1.35), ("stone", 0.9), ("concrete", 0.85)];

/// SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in [0, 1).
    fn uniform(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    fn below(&mut self, n: u64) -> u64 {
        (self.uniform() * n as f64) as u64
    }

    /// Standard normal, near enough: the sum of twelve uniforms less six.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }
}

/// The quotes of a month (1 to 12 of 2026), the same for the same seed.
pub fn month(seed: u64, month: u32, rows: usize) -> Vec<Quote> {
    let mut random = Random(seed ^ (u64::from(month) << 32));
    (1..=rows).map(|number| quote(&mut random, month, number)).collect()
}

fn quote(random: &mut Random, month: u32, number: usize) -> Quote {
    let moved = month >= 4;
    let (region, region_risk) = REGIONS[random.below(5) as usize];
    let (wall, wall_risk) = WALLS[random.below(4) as usize];
    let build_year = 1880 + random.below(145) as u32;
    let floor_area = (100.0 + 35.0 * random.normal()).clamp(25.0, 400.0);
    let bedrooms = ((floor_area / 32.0).round() as u32).clamp(1, 9);
    let price_level = if moved { 1.45 } else { 1.0 };
    let value =
        floor_area * (2_400.0 * region_risk.sqrt() + 300.0 * random.normal()).max(600.0) * price_level;
    let claims_before = [0, 0, 0, 0, 0, 1, 1, 2, 3][random.below(9) as usize];
    let alarm = random.uniform() < 0.4;
    let age = f64::from(2026 - build_year);
    let rebuild = if moved { 1.3 } else { 1.0 };
    let risk = region_risk
        * wall_risk
        * (1.0 + 0.004 * age)
        * (1.0 + 0.35 * f64::from(claims_before))
        * if alarm { 0.85 } else { 1.0 };
    let claim_cost = rebuild * (0.0012 * value * risk + 60.0) * (0.18 * random.normal()).exp();
    let (day, second) = (1 + random.below(28), random.below(86_400));
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    Quote {
        quote_id: format!("Q{month:02}-{number:06}"),
        quoted_at: format!("2026-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"),
        region,
        wall_type: (random.uniform() > 0.02).then_some(wall),
        build_year,
        floor_area: (floor_area * 10.0).round() / 10.0,
        bedrooms,
        market_value: value.round(),
        claims_before,
        alarm,
        claim_cost: (claim_cost * 100.0).round() / 100.0,
    }
}

impl Quote {
    /// The row as it stands in a month's file.
    pub fn row(&self) -> String {
        format!("{},{},{},{:.2}", self.quote_id, self.quoted_at, self.request(), self.claim_cost)
    }

    /// What is known when a quote is asked for: the row of a prediction request.
    pub fn request(&self) -> String {
        format!(
            "{},{},{},{:.1},{},{:.0},{},{}",
            self.region,
            self.wall_type.unwrap_or(""),
            self.build_year,
            self.floor_area,
            self.bedrooms,
            self.market_value,
            self.claims_before,
            self.alarm
        )
    }
}

/// A month's file: header and rows.
pub fn csv(quotes: &[Quote]) -> String {
    written(quotes, |_, _| {})
}

/// A month's file with faults that real files have: an impossible year, a missing value, a wall
/// nobody knows, a repeated quote. One row in fifty.
pub fn csv_with_bad_rows(quotes: &[Quote]) -> String {
    written(quotes, |index, cells| match index % 200 {
        49 => cells[4] = "20260".into(),
        99 => cells[7] = String::new(),
        149 => cells[3] = "gingerbread".into(),
        199 => cells[0] = quotes[index - 1].quote_id.clone(),
        _ => {}
    })
}

/// A month's file as somebody exported it wrongly: values in thousands with a unit, half of the
/// areas missing.
pub fn csv_broken(quotes: &[Quote]) -> String {
    written(quotes, |index, cells| {
        cells[7] = format!("{:.0}k EUR", quotes[index].market_value / 1_000.0);
        if index % 2 == 0 {
            cells[5] = String::new();
        }
    })
}

fn written(quotes: &[Quote], spoil: impl Fn(usize, &mut Vec<String>)) -> String {
    let mut text = format!("{HEADER}\n");
    for (index, quote) in quotes.iter().enumerate() {
        let mut cells: Vec<String> = quote.row().split(',').map(str::to_owned).collect();
        spoil(index, &mut cells);
        let _ = writeln!(text, "{}", cells.join(","));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_quotes_and_another_seed_others() {
        assert_eq!(month(7, 1, 50), month(7, 1, 50));
        assert_ne!(month(7, 1, 50), month(8, 1, 50));
        assert_ne!(month(7, 1, 50)[0].market_value, month(7, 2, 50)[0].market_value);
    }

    #[test]
    fn values_and_costs_move_in_the_fourth_month_and_not_before() {
        let mean = |month_number: u32, pick: fn(&Quote) -> f64| {
            let quotes = month(7, month_number, 4_000);
            quotes.iter().map(pick).sum::<f64>() / quotes.len() as f64
        };
        let value = |n| mean(n, |quote| quote.market_value);
        assert!((value(2) / value(1) - 1.0).abs() < 0.05);
        assert!((value(4) / value(1) - 1.45).abs() < 0.08);
        let cost = |n| mean(n, |quote| quote.claim_cost);
        // Values and rebuilding together: 1.45 × 1.3 on most of the cost.
        assert!(cost(4) / cost(1) > 1.6);
    }

    #[test]
    fn a_request_is_the_row_without_its_name_its_time_and_its_cost() {
        let quote = &month(7, 1, 1)[0];
        assert!(quote.row().contains(&quote.request()));
        assert_eq!(HEADER.split(',').count(), quote.row().split(',').count());
    }
}
