//! Every bound in the system, with its reason.

/// Longest name of a pipeline: job names carry it beside a 12-digit digest and a purpose, and
/// SageMaker allows 63 characters (32 for tuning jobs, whose names carry the digest alone).
pub const PIPELINE_NAME_MAX: usize = 32;

/// Most actions in one commit: DynamoDB's TransactWriteItems takes 100.
pub const COMMIT_ACTIONS_MAX: usize = 100;

/// Most events in one commit: leaves room for rows, mark and head within the 100 actions.
pub const COMMIT_EVENTS_MAX: usize = 32;

/// Largest row in bytes: DynamoDB's item limit is 400 KB with attribute names; this leaves room.
pub const ROW_BYTES_MAX: usize = 390_000;

/// Most bytes of all rows and events of one commit: TransactWriteItems takes 4 MB of items, and
/// keys, names of attributes and what sealing adds are counted there too.
pub const COMMIT_BYTES_MAX: usize = 3_500_000;

/// Largest event in bytes: EventBridge's entry is 256 KB; larger facts are blobs by digest.
pub const EVENT_BYTES_MAX: usize = 64 * 1024;

/// Rows in one page of a listing: DynamoDB answers at most 1 MB a page.
pub const PAGE_ROWS_MAX: usize = 100;

/// How often a handler decides again after a conflict before it asks to be delivered anew.
pub const CONFLICT_ATTEMPTS_MAX: usize = 8;

/// How long a handled mark is kept, in days: longer than any redelivery or redrive.
pub const HANDLED_DAYS: i64 = 30;

/// Most findings of one verification of the ledger: whoever rewrote a chain broke every link of
/// it, and nobody reads more than these.
pub const FINDINGS_MAX: usize = 1_000;

/// Rows in one batch of the data engine: small enough for a cache, large enough to amortise.
pub const BATCH_ROWS: usize = 8 * 1024;

/// Bytes of one blob chunk read at a time.
pub const CHUNK_BYTES: usize = 1024 * 1024;

/// Longest field of a CSV file in bytes; a longer one is almost surely a stray quote.
pub const FIELD_BYTES_MAX: usize = 1024 * 1024;

/// Longest record of a CSV file in bytes, all fields together: bounds the memory of one row.
pub const RECORD_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Rows in one row group of a part: some megabytes of memory to write or read one.
pub const GROUP_ROWS: usize = 4 * BATCH_ROWS;

/// Cells in one row group of a part: keeps a very wide table within the same memory.
pub const GROUP_CELLS: usize = 2_000_000;

/// Text bytes in one row group of a part, for tables of long texts.
pub const GROUP_BYTES: usize = 16 * 1024 * 1024;

/// Most columns of a table.
pub const COLUMNS_MAX: usize = 2_000;

/// Distinct keys one ingest can hold exactly to check uniqueness (at most 450 MB of memory).
pub const UNIQUE_KEYS_MAX: usize = 20_000_000;

/// Most categories of one column that a baseline names; the rest are counted as "other".
pub const CATEGORIES_MAX: usize = 64;

/// Longest expression of a feature or target in bytes: a longer one is generated, not written.
pub const EXPRESSION_BYTES_MAX: usize = 4 * 1024;

/// Deepest nesting of an expression, a chain of `+` included: evaluation recurses, and a hundred
/// frames fit every stack.
pub const EXPRESSION_DEPTH_MAX: usize = 100;

/// Bad rows shown in a report as examples, for each rule.
pub const EXAMPLES_MAX: usize = 5;

/// Buckets a row can fall into by the hash of its entity key; a split is a range of them.
pub const BUCKETS: u64 = 10_000;

/// Largest body of one prediction request: SageMaker's real-time endpoints take 6 MB.
pub const INVOCATION_BYTES_MAX: usize = 6 * 1024 * 1024;

/// Most retrainings in one chain of causes before a person has to ask: a model that drifts from
/// its own retraining must not spend money for ever.
pub const RETRAIN_CYCLES_MAX: u32 = 12;

/// Resamples of a bootstrap interval: the 2.5 % tail then rests on 25 values.
pub const BOOTSTRAP_RESAMPLES: usize = 1_000;

/// Rows a golden request file holds.
pub const GOLDEN_ROWS: usize = 16;

/// How many rows a drift window holds at most; a larger window is cut at its oldest end.
pub const WINDOW_ROWS_MAX: usize = 1_000_000;

/// A configuration file larger than this is a mistake.
pub const CONFIG_BYTES_MAX: usize = 1024 * 1024;

/// Distinct values of one column counted exactly by a profile; beyond, they are estimated.
pub const DISTINCT_MAX: usize = 10_000;

/// Longest reason in a row or event, in characters: a person reads a sentence or two, and the
/// report holds the rest.
pub const REASON_CHARS_MAX: usize = 1_000;

/// How long a ticket waits for its bytes, in days: a large upload over a poor line takes hours,
/// and an interrupted one is taken up again within the week.
pub const TICKET_DAYS: i64 = 7;

/// Tickets that one tick looks at: each takes a question to the incoming bucket.
pub const TICK_TICKETS_MAX: usize = 500;

/// Uploads that one tick takes in: with [`TICK_BYTES_MAX`], what fits in a function's 15 minutes.
pub const TICK_UPLOADS_MAX: usize = 8;

/// Bytes that one tick takes in before it leaves the rest to the next one.
pub const TICK_BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// Most trials of one search: SageMaker's for every strategy but the random one.
pub const TRIALS_MAX: u32 = 750;

/// Most trials of one search at once: SageMaker's.
pub const TRIALS_PARALLEL_MAX: u32 = 100;

/// Most hyperparameters of one kind that a search ranges over: SageMaker's.
pub const RANGES_MAX: usize = 30;

/// Most choices of one hyperparameter: SageMaker's.
pub const CHOICES_MAX: usize = 30;

/// Most definitions of metrics: SageMaker's.
pub const METRICS_MAX: usize = 40;

/// Longest regular expression of a metric in characters: SageMaker's.
pub const METRIC_REGEX_CHARS_MAX: usize = 500;

/// Rounds (epochs) of a whole trial that the strategy `hyperband` may count to: SageMaker's.
pub const RESOURCE_MAX: u32 = 20_000;

/// Shortest and longest search in seconds: SageMaker's two minutes to half a year.
pub const SEARCH_SECONDS: std::ops::RangeInclusive<u64> = 120..=15_768_000;

/// Fewest trials without an improvement that may end a search: SageMaker's.
pub const NOT_IMPROVING_MIN: u32 = 3;

/// Most points of a trial's curve that are kept; a longer one is thinned out evenly. Enough for
/// any picture of it, and the record of the longest search stays below [`TRIALS_BYTES_MAX`].
pub const CURVE_POINTS_MAX: usize = 256;

/// Largest record of a search that is read back: 750 trials with whole curves take 12 MB.
pub const TRIALS_BYTES_MAX: usize = 32 * 1024 * 1024;

/// How many times larger than its packed bytes a file may unpack: gzip reaches 1032 at best and
/// tables rarely 50; beyond, a few bytes would keep a function busy for its whole life.
pub const UNPACKED_RATIO_MAX: u64 = 250;

/// Unpacked bytes that any packed file may have, however small it is: harmless in a stream.
pub const UNPACKED_BYTES_MIN: u64 = 256 * 1024 * 1024;

/// Largest row group of an uploaded Parquet file, as it lies packed in the file: it is held in
/// memory while its rows are read. Tools write 64 to 128 MB.
pub const SOURCE_GROUP_BYTES_MAX: u64 = 512 * 1024 * 1024;
