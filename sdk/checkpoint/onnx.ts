/**
 * Networks out to ONNX (https://onnx.ai/onnx/repo-docs/IR.html), for whatever runs it: one file with the layers, as operators of
 * opset 13, and the parameters, which keep their names and layouts. Field numbers are those of onnx.proto3.
 */
import { CheckpointError } from '../base/errors.js';
import type { Network, Node } from '../nn/network.js';
import type { Window } from '../nn/value.js';
import { distinctNames, parameterShapes } from './layer-names.js';
import { matchParameters } from './match.js';
import { byteLength, floatField, type Message, messageField, numberField, textField, varint } from './protobuf.js';
import type { Float32Tensor } from './tensor-file.js';

const IR_VERSION = 7;
const OPSET = 13;
/** What protobuf allows a message to have. */
const MAX_BYTES = 2 ** 31 - 1;
const FLOAT32 = 1;

/**
 * The bytes of an ONNX model that computes what the network does when it does not train: `input` `[N, channels, height, width]`
 * or `[N, features]` to `output`, N being any number of samples. The same network and parameters always give the same bytes.
 *
 * @param parameters the network's, by name; others are left out
 * @throws CheckpointError `E_CKPT_NETWORK`, `E_CKPT_MISSING`, `E_CKPT_SHAPE` when the parameters are not the network's,
 *   `E_CKPT_VALUE` for more than 2 GiB of them
 * @example
 * const net = network('tiny', dense(input([2]), { name: 'fc', outFeatures: 1 }));
 * const weight = { shape: [1, 2], data: Float32Array.of(1, 2) };
 * const bias = { shape: [1], data: Float32Array.of(3) };
 * encodeOnnx(net, new Map([['fc.weight', weight], ['fc.bias', bias]])).length; // 198
 */
export function encodeOnnx(network: Network, parameters: ReadonlyMap<string, Float32Tensor>): Uint8Array {
  matchParameters(parameters, parameterShapes(network), `ONNX of ${network.name}`);
  const model: Message = [
    ...numberField(1, IR_VERSION),
    ...textField(2, 'mindts'),
    ...messageField(7, graph(network, parameters)),
    ...messageField(8, numberField(2, OPSET)),
  ];
  if (byteLength(model) > MAX_BYTES) {
    throw new CheckpointError('E_CKPT_VALUE', `network ${network.name} is larger than an ONNX file can be (2 GiB)`);
  }
  return Buffer.concat(model);
}

function graph(
  { name, nodes, inputShape, outputShape }: Network,
  parameters: ReadonlyMap<string, Float32Tensor>,
): Message {
  const distinct = distinctNames([
    'input',
    'output',
    ...nodes.flatMap((node) => node.parameters.map((parameter) => parameter.name)),
  ]);
  const last = nodes.length - 1;
  const names = nodes.map((node, i) => (i === 0 ? 'input' : i === last ? 'output' : distinct(node.name)));
  const operators = nodes.slice(1).map((node, i) => {
    const inputs = [...node.inputs.map((from) => names[from]), ...node.parameters.map((parameter) => parameter.name)];
    return operator({ inputs, output: names[i + 1], node });
  });
  // A network that computes nothing still has an output.
  if (last === 0) operators.push(operatorOf('Identity', { inputs: ['input'], output: 'output' }));
  const initializers = nodes
    .flatMap((node) => node.parameters)
    .map((parameter) => {
      const { shape, data } = parameters.get(parameter.name) ?? { shape: [], data: new Float32Array() };
      return initializer(parameter.name, shape, data);
    });
  return [
    ...operators.flatMap((message) => messageField(1, message)),
    ...textField(2, name),
    ...initializers.flatMap((message) => messageField(5, message)),
    ...messageField(11, valueInfo('input', inputShape)),
    ...messageField(12, valueInfo('output', last === 0 ? inputShape : outputShape)),
  ];
}

interface Ends {
  readonly inputs: readonly string[];
  readonly output: string;
}

function operator({ node, ...ends }: Ends & { readonly node: Node }): Message {
  const { layer } = node;
  switch (layer.kind) {
    case 'conv2d':
      return operatorOf('Conv', ends, [...windowAttributes(layer), integer('group', 1)]);
    case 'depthwiseConv2d':
      // One group for each channel that is read.
      return operatorOf('Conv', ends, [...windowAttributes(layer), integer('group', node.shape[0] / layer.multiplier)]);
    case 'dense':
      return operatorOf('Gemm', ends, [integer('transB', 1)]);
    case 'relu':
      return operatorOf('Relu', ends);
    case 'softmax':
      return operatorOf('Softmax', ends, [integer('axis', 1)]);
    case 'maxPool2d':
      return operatorOf('MaxPool', ends, windowAttributes(layer));
    case 'avgPool2d':
      return operatorOf('AveragePool', ends, [...windowAttributes(layer), integer('count_include_pad', 0)]);
    case 'flatten':
      return operatorOf('Flatten', ends, [integer('axis', 1)]);
    case 'batchNorm':
      return operatorOf('BatchNormalization', ends, [
        float('epsilon', layer.epsilon),
        float('momentum', layer.momentum),
      ]);
    case 'add':
      return operatorOf('Sum', ends);
    case 'concat':
      return operatorOf('Concat', ends, [integer('axis', 1)]);
    case 'dropout':
    case 'input':
      return operatorOf('Identity', ends);
    default:
      throw layer satisfies never;
  }
}

/** NodeProto. */
function operatorOf(type: string, { inputs, output }: Ends, attributes: readonly Message[] = []): Message {
  return [
    ...inputs.flatMap((input) => textField(1, input)),
    ...textField(2, output),
    ...textField(3, `${output}:${type}`),
    ...textField(4, type),
    ...attributes.flatMap((attribute) => messageField(5, attribute)),
  ];
}

function windowAttributes({ kernelSize, stride, padding: { top, bottom, left, right } }: Window): Message[] {
  return [
    integers('kernel_shape', kernelSize),
    integers('pads', [top, left, bottom, right]),
    integers('strides', stride),
  ];
}

/** AttributeProto of the type FLOAT. */
function float(name: string, value: number): Message {
  return [...textField(1, name), ...floatField(2, value), ...numberField(20, 1)];
}

/** AttributeProto of the type INT. */
function integer(name: string, value: number): Message {
  return [...textField(1, name), ...numberField(3, value), ...numberField(20, 2)];
}

/** AttributeProto of the type INTS. */
function integers(name: string, values: readonly number[]): Message {
  return [...textField(1, name), ...values.flatMap((value) => numberField(8, value)), ...numberField(20, 7)];
}

/** TensorProto. */
function initializer(name: string, shape: readonly number[], data: Float32Array): Message {
  return [
    ...messageField(1, [Uint8Array.from(shape.flatMap(varint))]),
    ...numberField(2, FLOAT32),
    ...textField(8, name),
    ...messageField(9, [new Uint8Array(data.buffer, data.byteOffset, data.byteLength)]),
  ];
}

/** ValueInfoProto of a float tensor, the batch before its shape. */
function valueInfo(name: string, shape: readonly number[]): Message {
  const dimensions = [textField(2, 'N'), ...shape.map((size) => numberField(1, size))];
  const tensor = [
    ...numberField(1, FLOAT32),
    ...messageField(
      2,
      dimensions.flatMap((dimension) => messageField(1, dimension)),
    ),
  ];
  return [...textField(1, name), ...messageField(2, messageField(1, tensor))];
}
