"""Does XGBoost, reading the exported model, predict what Boost predicted?

Called with a directory that holds model.json, shape.json (rows, width, feature types), matrix.bin
and predictions.bin (32-bit floats, row by row, NaN for missing). Prints the largest difference.
Needs: xgboost==3.2.0 numpy==2.4.6 scipy==1.17.1
"""

import json
import pathlib
import sys

import numpy
import xgboost

place = pathlib.Path(sys.argv[1])
shape = json.loads((place / "shape.json").read_text())
types = shape["types"]
matrix = numpy.fromfile(place / "matrix.bin", dtype="<f4").reshape(shape["rows"], len(types))
ours = numpy.fromfile(place / "predictions.bin", dtype="<f4").reshape(shape["rows"], shape["width"])

booster = xgboost.Booster(model_file=place / "model.json")
data = xgboost.DMatrix(matrix, missing=numpy.nan, feature_types=types, enable_categorical=True)
theirs = booster.predict(data).reshape(ours.shape)

print(float(numpy.abs(ours.astype("f8") - theirs.astype("f8")).max()))
