// A stranger's CommonJS file.
import mindts = require('mindts');

console.log(typeof mindts.Model, mindts.LeNet5({ classes: 10 }).parameterCount);
