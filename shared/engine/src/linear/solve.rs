//! Which coefficients make the penalised loss smallest?

/// Least squares with a penalty on all coefficients but the intercept, which comes first; none
/// where numbers leave their range. `matrix` holds rows of `width` numbers.
pub(super) fn ridge(matrix: &[f64], width: usize, targets: &[f64], penalty: f64) -> Option<Vec<f64>> {
    let rows = targets.len() as f64;
    let mut means = vec![0.0; width];
    for row in matrix.chunks(width) {
        for (mean, x) in means.iter_mut().zip(row) {
            *mean += x / rows;
        }
    }
    let mean = targets.iter().sum::<f64>() / rows;
    let mut normal = vec![0.0; width * width];
    let mut right = vec![0.0; width];
    let mut centred = vec![0.0; width];
    for (row, target) in matrix.chunks(width).zip(targets) {
        for ((centred, x), mean) in centred.iter_mut().zip(row).zip(&means) {
            *centred = x - mean;
        }
        gather(&centred, 1.0, &mut normal);
        for (right, x) in right.iter_mut().zip(&centred) {
            *right += x * (target - mean);
        }
    }
    for place in 0..width {
        normal[place * width + place] += penalty;
    }
    let slopes = cholesky(&mut normal, width, right)?;
    let intercept = mean - slopes.iter().zip(&means).map(|(slope, mean)| slope * mean).sum::<f64>();
    let mut coefficients = vec![intercept];
    coefficients.extend(slopes);
    coefficients.iter().all(|value| value.is_finite()).then_some(coefficients)
}

/// The logistic function, 1 / (1 + e^−x).
pub(super) fn logistic_of(x: f64) -> f64 {
    if x >= 0.0 {
        1.0 / (1.0 + (-x).exp())
    } else {
        let e = x.exp();
        e / (1.0 + e)
    }
}

/// Logistic regression by Newton's method with halved steps: the sum of log losses and half the
/// penalty times the squared coefficients is made smallest. Targets are 0 or 1.
pub(super) fn logistic(
    matrix: &[f64],
    width: usize,
    targets: &[f64],
    penalty: f64,
    steps_max: usize,
) -> Option<Vec<f64>> {
    let size = width + 1;
    let mut coefficients = vec![0.0; size];
    let mut value = objective(matrix, width, targets, penalty, &coefficients);
    for _ in 0..steps_max {
        let mut hessian = vec![0.0; size * size];
        let mut gradient = vec![0.0; size];
        let mut with_one = vec![1.0; size];
        for (row, target) in matrix.chunks(width).zip(targets) {
            with_one[1..].copy_from_slice(row);
            let chance = logistic_of(dot(&with_one, &coefficients));
            gather(&with_one, chance * (1.0 - chance), &mut hessian);
            for (gradient, x) in gradient.iter_mut().zip(&with_one) {
                *gradient += x * (chance - target);
            }
        }
        for place in 1..size {
            hessian[place * size + place] += penalty;
            gradient[place] += penalty * coefficients[place];
        }
        // The intercept is not penalised: where all chances are 0 or 1 this keeps it solvable.
        hessian[0] += 1e-9;
        let steepest = gradient.iter().fold(0.0, |most: f64, value| most.max(value.abs()));
        if steepest < 1e-9 * targets.len() as f64 {
            break;
        }
        let step = cholesky(&mut hessian, size, gradient)?;
        let mut share = 1.0;
        let moved = loop {
            let next: Vec<f64> =
                coefficients.iter().zip(&step).map(|(own, step)| own - share * step).collect();
            let there = objective(matrix, width, targets, penalty, &next);
            if there < value {
                value = there;
                break Some(next);
            }
            share *= 0.5;
            if share < 1e-6 {
                break None;
            }
        };
        let Some(next) = moved else { break };
        coefficients = next;
    }
    coefficients.iter().all(|value| value.is_finite()).then_some(coefficients)
}

fn objective(matrix: &[f64], width: usize, targets: &[f64], penalty: f64, coefficients: &[f64]) -> f64 {
    let mut sum = 0.0;
    for (row, target) in matrix.chunks(width).zip(targets) {
        let margin = coefficients[0] + dot(row, &coefficients[1..]);
        // ln(1 + e^m) − y m, without overflow.
        sum += margin.max(0.0) + (-margin.abs()).exp().ln_1p() - target * margin;
    }
    sum + 0.5 * penalty * dot(&coefficients[1..], &coefficients[1..])
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Adds the outer product of a row to the lower half of a matrix.
fn gather(row: &[f64], weight: f64, matrix: &mut [f64]) {
    let size = row.len();
    for (i, x) in row.iter().enumerate() {
        if *x == 0.0 {
            continue;
        }
        let scaled = weight * x;
        for (cell, y) in matrix[i * size..=i * size + i].iter_mut().zip(row) {
            *cell += scaled * y;
        }
    }
}

/// Solves a symmetric positive definite system given by its lower half; none where it is not
/// positive definite.
fn cholesky(matrix: &mut [f64], size: usize, mut right: Vec<f64>) -> Option<Vec<f64>> {
    for i in 0..size {
        for j in 0..=i {
            let rest =
                matrix[i * size + j] - dot(&matrix[i * size..i * size + j], &matrix[j * size..j * size + j]);
            if i != j {
                matrix[i * size + j] = rest / matrix[j * size + j];
            } else if rest > 0.0 {
                matrix[i * size + i] = rest.sqrt();
            } else {
                return None;
            }
        }
    }
    for i in 0..size {
        let known = dot(&matrix[i * size..i * size + i], &right[..i]);
        right[i] = (right[i] - known) / matrix[i * size + i];
    }
    for i in (0..size).rev() {
        let known: f64 = (i + 1..size).map(|k| matrix[k * size + i] * right[k]).sum();
        right[i] = (right[i] - known) / matrix[i * size + i];
    }
    Some(right)
}
