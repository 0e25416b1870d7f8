//! What a failed call of AWS means to the caller: the one place where its errors are read.

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use ports::{Error, ErrorKind};

/// Codes that say what the status alone does not. Sources: the error lists of DynamoDB, S3 and
/// EventBridge in their API references, and "Common errors" of each.
const CODES: [(&str, ErrorKind); 37] = [
    ("NoSuchKey", ErrorKind::NotFound),
    ("NotFound", ErrorKind::NotFound),
    ("NoSuchVersion", ErrorKind::NotFound),
    ("NoSuchUpload", ErrorKind::NotFound),
    // A missing table, bucket or bus is a stack that is set up wrong, not a missing row or blob.
    ("NoSuchBucket", ErrorKind::Invalid),
    ("ResourceNotFoundException", ErrorKind::Invalid),
    ("ConditionalCheckFailedException", ErrorKind::Conflict),
    ("ConditionalCheckFailed", ErrorKind::Conflict),
    ("PreconditionFailed", ErrorKind::Conflict),
    ("ConditionalRequestConflict", ErrorKind::Conflict),
    ("TransactionConflict", ErrorKind::Throttled),
    ("TransactionConflictException", ErrorKind::Throttled),
    ("TransactionInProgressException", ErrorKind::Throttled),
    ("ThrottlingError", ErrorKind::Throttled),
    ("ThrottlingException", ErrorKind::Throttled),
    ("Throttling", ErrorKind::Throttled),
    ("ThrottledException", ErrorKind::Throttled),
    ("ProvisionedThroughputExceeded", ErrorKind::Throttled),
    ("ProvisionedThroughputExceededException", ErrorKind::Throttled),
    ("RequestLimitExceeded", ErrorKind::Throttled),
    ("TooManyRequestsException", ErrorKind::Throttled),
    ("SlowDown", ErrorKind::Throttled),
    ("OperationAborted", ErrorKind::Throttled),
    ("InternalServerError", ErrorKind::Unavailable),
    ("InternalError", ErrorKind::Unavailable),
    ("InternalException", ErrorKind::Unavailable),
    ("InternalFailure", ErrorKind::Unavailable),
    ("ServiceUnavailable", ErrorKind::Unavailable),
    // S3 answers 400 where the bytes came too slowly.
    ("RequestTimeout", ErrorKind::Unavailable),
    ("AccessDenied", ErrorKind::Denied),
    ("AccessDeniedException", ErrorKind::Denied),
    ("NotAuthorizedException", ErrorKind::Denied),
    ("UnrecognizedClientException", ErrorKind::Denied),
    ("ExpiredTokenException", ErrorKind::Denied),
    ("EntityTooLarge", ErrorKind::TooLarge),
    ("ItemCollectionSizeLimitExceeded", ErrorKind::TooLarge),
    ("ItemCollectionSizeLimitExceededException", ErrorKind::TooLarge),
];

/// What a code means, where one is known.
pub(crate) fn of_code(code: &str) -> Option<ErrorKind> {
    CODES.iter().find(|(known, _)| *known == code).map(|(_, kind)| *kind)
}

/// What an answer means: by its code where that is known, else by its status.
pub(crate) fn kind(status: u16, code: Option<&str>) -> ErrorKind {
    if let Some(kind) = code.and_then(of_code) {
        return kind;
    }
    match status {
        401 | 403 => ErrorKind::Denied,
        404 => ErrorKind::NotFound,
        409 | 412 => ErrorKind::Conflict,
        413 => ErrorKind::TooLarge,
        429 => ErrorKind::Throttled,
        500.. => ErrorKind::Unavailable,
        _ => ErrorKind::Invalid,
    }
}

/// The error of a failed call: `tried` says what was tried, on what.
pub(crate) fn of<E: ProvideErrorMetadata>(
    tried: impl Into<String>,
    error: &SdkError<E, HttpResponse>,
) -> Error {
    let tried = tried.into();
    let (kind, why) = match error {
        SdkError::ConstructionFailure(_) => (ErrorKind::Invalid, "the request cannot be made".to_owned()),
        SdkError::TimeoutError(_) => (ErrorKind::Unavailable, "no answer in time".to_owned()),
        SdkError::DispatchFailure(failure) => {
            let cause = failure.as_connector_error().map(ToString::to_string).unwrap_or_default();
            (ErrorKind::Unavailable, format!("not reached: {cause}"))
        }
        SdkError::ResponseError(_) => (ErrorKind::Unavailable, "the answer cannot be understood".to_owned()),
        SdkError::ServiceError(refused) => {
            let status = refused.raw().status().as_u16();
            let code = refused.err().code();
            let message = refused.err().message().unwrap_or_default();
            (kind(status, code), format!("{status} {} {message}", code.unwrap_or("without a code")))
        }
        _ => (ErrorKind::Unavailable, "the call failed in a way the SDK does not name".to_owned()),
    };
    Error::new(kind, format!("{tried}: {}", why.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_says_more_than_its_status() {
        for (status, code, expected) in [
            (404, Some("NoSuchKey"), ErrorKind::NotFound),
            (404, None, ErrorKind::NotFound),
            (404, Some("NoSuchBucket"), ErrorKind::Invalid),
            (400, Some("ResourceNotFoundException"), ErrorKind::Invalid),
            (412, Some("PreconditionFailed"), ErrorKind::Conflict),
            (409, Some("ConditionalRequestConflict"), ErrorKind::Conflict),
            (400, Some("ProvisionedThroughputExceededException"), ErrorKind::Throttled),
            (400, Some("ThrottlingException"), ErrorKind::Throttled),
            (503, Some("SlowDown"), ErrorKind::Throttled),
            (429, None, ErrorKind::Throttled),
            (400, Some("TransactionInProgressException"), ErrorKind::Throttled),
            (400, Some("RequestTimeout"), ErrorKind::Unavailable),
            (500, Some("InternalServerError"), ErrorKind::Unavailable),
            (503, None, ErrorKind::Unavailable),
            (403, Some("AccessDenied"), ErrorKind::Denied),
            (400, Some("AccessDeniedException"), ErrorKind::Denied),
            (400, Some("ExpiredTokenException"), ErrorKind::Denied),
            (403, None, ErrorKind::Denied),
            (400, Some("EntityTooLarge"), ErrorKind::TooLarge),
            (413, None, ErrorKind::TooLarge),
            (400, Some("ValidationException"), ErrorKind::Invalid),
            (400, None, ErrorKind::Invalid),
        ] {
            assert_eq!(kind(status, code), expected, "{status} {code:?}");
        }
    }
}
