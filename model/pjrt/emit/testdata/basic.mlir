module @load {
  func.func public @main(
      %view1: tensor<2x8x8x3xf32>,
      %view2: tensor<2x8x8x3xf32>
  ) -> (
      tensor<4x8x8x3xf32>
  ) {
    %images = stablehlo.concatenate %view1, %view2, dim = 0 : (tensor<2x8x8x3xf32>, tensor<2x8x8x3xf32>) -> tensor<4x8x8x3xf32>
    return %images : tensor<4x8x8x3xf32>
  }
}
module @prepare_online {
  func.func public @main(
      %theta: tensor<507xf32>,
      %online.statistics: tensor<58xf32>
  ) -> (
      tensor<2x3x3x3xf32>,
      tensor<2xf32>,
      tensor<2xf32>,
      tensor<2xf32>,
      tensor<2x3x3x2xf32>,
      tensor<2xf32>,
      tensor<2xf32>,
      tensor<2xf32>,
      tensor<2x3x3x2xf32>,
      tensor<2xf32>,
      tensor<2xf32>,
      tensor<2xf32>,
      tensor<4x3x3x2xf32>,
      tensor<4xf32>,
      tensor<4xf32>,
      tensor<4xf32>,
      tensor<4x3x3x4xf32>,
      tensor<4x1x1x2xf32>,
      tensor<4xf32>,
      tensor<4xf32>,
      tensor<4xf32>,
      tensor<4xf32>,
      tensor<4xf32>,
      tensor<4xf32>,
      tensor<6x4xf32>,
      tensor<6xf32>,
      tensor<6xf32>,
      tensor<6xf32>,
      tensor<6xf32>,
      tensor<4x6xf32>,
      tensor<5x4xf32>,
      tensor<5xf32>,
      tensor<5xf32>,
      tensor<5xf32>,
      tensor<5xf32>,
      tensor<4x5xf32>
  ) {
    %0 = stablehlo.slice %theta [0:54] : (tensor<507xf32>) -> tensor<54xf32>
    %encoder.conv1.weight = stablehlo.reshape %0 : (tensor<54xf32>) -> tensor<2x3x3x3xf32>
    %encoder.bn1.running_mean = stablehlo.slice %online.statistics [0:2] : (tensor<58xf32>) -> tensor<2xf32>
    %encoder.bn1.weight = stablehlo.slice %theta [54:56] : (tensor<507xf32>) -> tensor<2xf32>
    %encoder.bn1.bias = stablehlo.slice %theta [56:58] : (tensor<507xf32>) -> tensor<2xf32>
    %1 = stablehlo.slice %theta [58:94] : (tensor<507xf32>) -> tensor<36xf32>
    %encoder.layer1.0.conv1.weight = stablehlo.reshape %1 : (tensor<36xf32>) -> tensor<2x3x3x2xf32>
    %encoder.layer1.0.bn1.running_mean = stablehlo.slice %online.statistics [4:6] : (tensor<58xf32>) -> tensor<2xf32>
    %encoder.layer1.0.bn1.weight = stablehlo.slice %theta [94:96] : (tensor<507xf32>) -> tensor<2xf32>
    %encoder.layer1.0.bn1.bias = stablehlo.slice %theta [96:98] : (tensor<507xf32>) -> tensor<2xf32>
    %2 = stablehlo.slice %theta [98:134] : (tensor<507xf32>) -> tensor<36xf32>
    %encoder.layer1.0.conv2.weight = stablehlo.reshape %2 : (tensor<36xf32>) -> tensor<2x3x3x2xf32>
    %encoder.layer1.0.bn2.running_mean = stablehlo.slice %online.statistics [8:10] : (tensor<58xf32>) -> tensor<2xf32>
    %encoder.layer1.0.bn2.weight = stablehlo.slice %theta [134:136] : (tensor<507xf32>) -> tensor<2xf32>
    %encoder.layer1.0.bn2.bias = stablehlo.slice %theta [136:138] : (tensor<507xf32>) -> tensor<2xf32>
    %3 = stablehlo.slice %theta [138:210] : (tensor<507xf32>) -> tensor<72xf32>
    %encoder.layer2.0.conv1.weight = stablehlo.reshape %3 : (tensor<72xf32>) -> tensor<4x3x3x2xf32>
    %encoder.layer2.0.bn1.running_mean = stablehlo.slice %online.statistics [12:16] : (tensor<58xf32>) -> tensor<4xf32>
    %encoder.layer2.0.bn1.weight = stablehlo.slice %theta [210:214] : (tensor<507xf32>) -> tensor<4xf32>
    %encoder.layer2.0.bn1.bias = stablehlo.slice %theta [214:218] : (tensor<507xf32>) -> tensor<4xf32>
    %4 = stablehlo.slice %theta [218:362] : (tensor<507xf32>) -> tensor<144xf32>
    %encoder.layer2.0.conv2.weight = stablehlo.reshape %4 : (tensor<144xf32>) -> tensor<4x3x3x4xf32>
    %5 = stablehlo.slice %theta [370:378] : (tensor<507xf32>) -> tensor<8xf32>
    %encoder.layer2.0.downsample.0.weight = stablehlo.reshape %5 : (tensor<8xf32>) -> tensor<4x1x1x2xf32>
    %encoder.layer2.0.bn2.running_mean = stablehlo.slice %online.statistics [20:24] : (tensor<58xf32>) -> tensor<4xf32>
    %encoder.layer2.0.downsample.1.running_mean = stablehlo.slice %online.statistics [28:32] : (tensor<58xf32>) -> tensor<4xf32>
    %encoder.layer2.0.bn2.weight = stablehlo.slice %theta [362:366] : (tensor<507xf32>) -> tensor<4xf32>
    %encoder.layer2.0.bn2.bias = stablehlo.slice %theta [366:370] : (tensor<507xf32>) -> tensor<4xf32>
    %encoder.layer2.0.downsample.1.weight = stablehlo.slice %theta [378:382] : (tensor<507xf32>) -> tensor<4xf32>
    %encoder.layer2.0.downsample.1.bias = stablehlo.slice %theta [382:386] : (tensor<507xf32>) -> tensor<4xf32>
    %6 = stablehlo.slice %theta [386:410] : (tensor<507xf32>) -> tensor<24xf32>
    %projector.0.weight = stablehlo.reshape %6 : (tensor<24xf32>) -> tensor<6x4xf32>
    %projector.0.bias = stablehlo.slice %theta [410:416] : (tensor<507xf32>) -> tensor<6xf32>
    %projector.1.running_mean = stablehlo.slice %online.statistics [36:42] : (tensor<58xf32>) -> tensor<6xf32>
    %projector.1.weight = stablehlo.slice %theta [416:422] : (tensor<507xf32>) -> tensor<6xf32>
    %projector.1.bias = stablehlo.slice %theta [422:428] : (tensor<507xf32>) -> tensor<6xf32>
    %7 = stablehlo.slice %theta [428:452] : (tensor<507xf32>) -> tensor<24xf32>
    %projector.3.weight = stablehlo.reshape %7 : (tensor<24xf32>) -> tensor<4x6xf32>
    %8 = stablehlo.slice %theta [452:472] : (tensor<507xf32>) -> tensor<20xf32>
    %predictor.0.weight = stablehlo.reshape %8 : (tensor<20xf32>) -> tensor<5x4xf32>
    %predictor.0.bias = stablehlo.slice %theta [472:477] : (tensor<507xf32>) -> tensor<5xf32>
    %predictor.1.running_mean = stablehlo.slice %online.statistics [48:53] : (tensor<58xf32>) -> tensor<5xf32>
    %predictor.1.weight = stablehlo.slice %theta [477:482] : (tensor<507xf32>) -> tensor<5xf32>
    %predictor.1.bias = stablehlo.slice %theta [482:487] : (tensor<507xf32>) -> tensor<5xf32>
    %9 = stablehlo.slice %theta [487:507] : (tensor<507xf32>) -> tensor<20xf32>
    %predictor.3.weight = stablehlo.reshape %9 : (tensor<20xf32>) -> tensor<4x5xf32>
    return %encoder.conv1.weight, %encoder.bn1.running_mean, %encoder.bn1.weight, %encoder.bn1.bias, %encoder.layer1.0.conv1.weight, %encoder.layer1.0.bn1.running_mean, %encoder.layer1.0.bn1.weight, %encoder.layer1.0.bn1.bias, %encoder.layer1.0.conv2.weight, %encoder.layer1.0.bn2.running_mean, %encoder.layer1.0.bn2.weight, %encoder.layer1.0.bn2.bias, %encoder.layer2.0.conv1.weight, %encoder.layer2.0.bn1.running_mean, %encoder.layer2.0.bn1.weight, %encoder.layer2.0.bn1.bias, %encoder.layer2.0.conv2.weight, %encoder.layer2.0.downsample.0.weight, %encoder.layer2.0.bn2.running_mean, %encoder.layer2.0.downsample.1.running_mean, %encoder.layer2.0.bn2.weight, %encoder.layer2.0.bn2.bias, %encoder.layer2.0.downsample.1.weight, %encoder.layer2.0.downsample.1.bias, %projector.0.weight, %projector.0.bias, %projector.1.running_mean, %projector.1.weight, %projector.1.bias, %projector.3.weight, %predictor.0.weight, %predictor.0.bias, %predictor.1.running_mean, %predictor.1.weight, %predictor.1.bias, %predictor.3.weight : tensor<2x3x3x3xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2x3x3x2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2x3x3x2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<4x3x3x2xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4x3x3x4xf32>, tensor<4x1x1x2xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<6x4xf32>, tensor<6xf32>, tensor<6xf32>, tensor<6xf32>, tensor<6xf32>, tensor<4x6xf32>, tensor<5x4xf32>, tensor<5xf32>, tensor<5xf32>, tensor<5xf32>, tensor<5xf32>, tensor<4x5xf32>
  }
}
module @prepare_target {
  func.func public @main(
      %xi: tensor<507xf32>,
      %target.statistics: tensor<58xf32>
  ) -> (
      tensor<2x3x3x3xf32>,
      tensor<2xf32>,
      tensor<2xf32>,
      tensor<2xf32>,
      tensor<2x3x3x2xf32>,
      tensor<2xf32>,
      tensor<2xf32>,
      tensor<2xf32>,
      tensor<2x3x3x2xf32>,
      tensor<2xf32>,
      tensor<2xf32>,
      tensor<2xf32>,
      tensor<4x3x3x2xf32>,
      tensor<4xf32>,
      tensor<4xf32>,
      tensor<4xf32>,
      tensor<4x3x3x4xf32>,
      tensor<4x1x1x2xf32>,
      tensor<4xf32>,
      tensor<4xf32>,
      tensor<4xf32>,
      tensor<4xf32>,
      tensor<4xf32>,
      tensor<4xf32>,
      tensor<6x4xf32>,
      tensor<6xf32>,
      tensor<6xf32>,
      tensor<6xf32>,
      tensor<6xf32>,
      tensor<4x6xf32>
  ) {
    %0 = stablehlo.slice %xi [0:54] : (tensor<507xf32>) -> tensor<54xf32>
    %encoder.conv1.weight = stablehlo.reshape %0 : (tensor<54xf32>) -> tensor<2x3x3x3xf32>
    %encoder.bn1.running_mean = stablehlo.slice %target.statistics [0:2] : (tensor<58xf32>) -> tensor<2xf32>
    %encoder.bn1.weight = stablehlo.slice %xi [54:56] : (tensor<507xf32>) -> tensor<2xf32>
    %encoder.bn1.bias = stablehlo.slice %xi [56:58] : (tensor<507xf32>) -> tensor<2xf32>
    %1 = stablehlo.slice %xi [58:94] : (tensor<507xf32>) -> tensor<36xf32>
    %encoder.layer1.0.conv1.weight = stablehlo.reshape %1 : (tensor<36xf32>) -> tensor<2x3x3x2xf32>
    %encoder.layer1.0.bn1.running_mean = stablehlo.slice %target.statistics [4:6] : (tensor<58xf32>) -> tensor<2xf32>
    %encoder.layer1.0.bn1.weight = stablehlo.slice %xi [94:96] : (tensor<507xf32>) -> tensor<2xf32>
    %encoder.layer1.0.bn1.bias = stablehlo.slice %xi [96:98] : (tensor<507xf32>) -> tensor<2xf32>
    %2 = stablehlo.slice %xi [98:134] : (tensor<507xf32>) -> tensor<36xf32>
    %encoder.layer1.0.conv2.weight = stablehlo.reshape %2 : (tensor<36xf32>) -> tensor<2x3x3x2xf32>
    %encoder.layer1.0.bn2.running_mean = stablehlo.slice %target.statistics [8:10] : (tensor<58xf32>) -> tensor<2xf32>
    %encoder.layer1.0.bn2.weight = stablehlo.slice %xi [134:136] : (tensor<507xf32>) -> tensor<2xf32>
    %encoder.layer1.0.bn2.bias = stablehlo.slice %xi [136:138] : (tensor<507xf32>) -> tensor<2xf32>
    %3 = stablehlo.slice %xi [138:210] : (tensor<507xf32>) -> tensor<72xf32>
    %encoder.layer2.0.conv1.weight = stablehlo.reshape %3 : (tensor<72xf32>) -> tensor<4x3x3x2xf32>
    %encoder.layer2.0.bn1.running_mean = stablehlo.slice %target.statistics [12:16] : (tensor<58xf32>) -> tensor<4xf32>
    %encoder.layer2.0.bn1.weight = stablehlo.slice %xi [210:214] : (tensor<507xf32>) -> tensor<4xf32>
    %encoder.layer2.0.bn1.bias = stablehlo.slice %xi [214:218] : (tensor<507xf32>) -> tensor<4xf32>
    %4 = stablehlo.slice %xi [218:362] : (tensor<507xf32>) -> tensor<144xf32>
    %encoder.layer2.0.conv2.weight = stablehlo.reshape %4 : (tensor<144xf32>) -> tensor<4x3x3x4xf32>
    %5 = stablehlo.slice %xi [370:378] : (tensor<507xf32>) -> tensor<8xf32>
    %encoder.layer2.0.downsample.0.weight = stablehlo.reshape %5 : (tensor<8xf32>) -> tensor<4x1x1x2xf32>
    %encoder.layer2.0.bn2.running_mean = stablehlo.slice %target.statistics [20:24] : (tensor<58xf32>) -> tensor<4xf32>
    %encoder.layer2.0.downsample.1.running_mean = stablehlo.slice %target.statistics [28:32] : (tensor<58xf32>) -> tensor<4xf32>
    %encoder.layer2.0.bn2.weight = stablehlo.slice %xi [362:366] : (tensor<507xf32>) -> tensor<4xf32>
    %encoder.layer2.0.bn2.bias = stablehlo.slice %xi [366:370] : (tensor<507xf32>) -> tensor<4xf32>
    %encoder.layer2.0.downsample.1.weight = stablehlo.slice %xi [378:382] : (tensor<507xf32>) -> tensor<4xf32>
    %encoder.layer2.0.downsample.1.bias = stablehlo.slice %xi [382:386] : (tensor<507xf32>) -> tensor<4xf32>
    %6 = stablehlo.slice %xi [386:410] : (tensor<507xf32>) -> tensor<24xf32>
    %projector.0.weight = stablehlo.reshape %6 : (tensor<24xf32>) -> tensor<6x4xf32>
    %projector.0.bias = stablehlo.slice %xi [410:416] : (tensor<507xf32>) -> tensor<6xf32>
    %projector.1.running_mean = stablehlo.slice %target.statistics [36:42] : (tensor<58xf32>) -> tensor<6xf32>
    %projector.1.weight = stablehlo.slice %xi [416:422] : (tensor<507xf32>) -> tensor<6xf32>
    %projector.1.bias = stablehlo.slice %xi [422:428] : (tensor<507xf32>) -> tensor<6xf32>
    %7 = stablehlo.slice %xi [428:452] : (tensor<507xf32>) -> tensor<24xf32>
    %projector.3.weight = stablehlo.reshape %7 : (tensor<24xf32>) -> tensor<4x6xf32>
    return %encoder.conv1.weight, %encoder.bn1.running_mean, %encoder.bn1.weight, %encoder.bn1.bias, %encoder.layer1.0.conv1.weight, %encoder.layer1.0.bn1.running_mean, %encoder.layer1.0.bn1.weight, %encoder.layer1.0.bn1.bias, %encoder.layer1.0.conv2.weight, %encoder.layer1.0.bn2.running_mean, %encoder.layer1.0.bn2.weight, %encoder.layer1.0.bn2.bias, %encoder.layer2.0.conv1.weight, %encoder.layer2.0.bn1.running_mean, %encoder.layer2.0.bn1.weight, %encoder.layer2.0.bn1.bias, %encoder.layer2.0.conv2.weight, %encoder.layer2.0.downsample.0.weight, %encoder.layer2.0.bn2.running_mean, %encoder.layer2.0.downsample.1.running_mean, %encoder.layer2.0.bn2.weight, %encoder.layer2.0.bn2.bias, %encoder.layer2.0.downsample.1.weight, %encoder.layer2.0.downsample.1.bias, %projector.0.weight, %projector.0.bias, %projector.1.running_mean, %projector.1.weight, %projector.1.bias, %projector.3.weight : tensor<2x3x3x3xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2x3x3x2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2x3x3x2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<4x3x3x2xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4x3x3x4xf32>, tensor<4x1x1x2xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<6x4xf32>, tensor<6xf32>, tensor<6xf32>, tensor<6xf32>, tensor<6xf32>, tensor<4x6xf32>
  }
}
module @online_0 {
  func.func public @main(
      %images: tensor<4x8x8x3xf32>,
      %encoder.conv1.weight: tensor<2x3x3x3xf32>,
      %encoder.bn1.running_mean: tensor<2xf32>
  ) -> (
      tensor<4x8x8x2xf32>,
      tensor<8xf32>
  ) {
    // encoder.conv1: 3×3, stride 1, 3 to 2 channels
    %encoder.conv1.z = stablehlo.convolution(%images, %encoder.conv1.weight) dim_numbers = [b, 0, 1, f]x[o, 0, 1, i]->[b, 0, 1, f], window = {stride = [1, 1], pad = [[1, 1], [1, 1]], lhs_dilate = [1, 1], rhs_dilate = [1, 1]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64, precision_config = [#stablehlo<precision HIGHEST>, #stablehlo<precision HIGHEST>]} : (tensor<4x8x8x3xf32>, tensor<2x3x3x3xf32>) -> tensor<4x8x8x2xf32>
    // encoder.bn1: sums of the distance from the running mean, and of its square
    %0 = stablehlo.reshape %encoder.conv1.z : (tensor<4x8x8x2xf32>) -> tensor<2x128x2xf32>
    %1 = stablehlo.broadcast_in_dim %encoder.bn1.running_mean, dims = [2] : (tensor<2xf32>) -> tensor<2x128x2xf32>
    %2 = stablehlo.subtract %0, %1 : tensor<2x128x2xf32>
    %3 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %4 = stablehlo.reduce(%2 init: %3) applies stablehlo.add across dimensions = [1] : (tensor<2x128x2xf32>, tensor<f32>) -> tensor<2x2xf32>
    %5 = stablehlo.multiply %2, %2 : tensor<2x128x2xf32>
    %6 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %7 = stablehlo.reduce(%5 init: %6) applies stablehlo.add across dimensions = [1] : (tensor<2x128x2xf32>, tensor<f32>) -> tensor<2x2xf32>
    %8 = stablehlo.concatenate %4, %7, dim = 1 : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x4xf32>
    %sums = stablehlo.reshape %8 : (tensor<2x4xf32>) -> tensor<8xf32>
    return %encoder.conv1.z, %sums : tensor<4x8x8x2xf32>, tensor<8xf32>
  }
}
module @online_1 {
  func.func public @main(
      %encoder.conv1.z: tensor<4x8x8x2xf32>,
      %online.encoder.bn1.statistics: tensor<8xf32>,
      %encoder.bn1.weight: tensor<2xf32>,
      %encoder.bn1.bias: tensor<2xf32>,
      %encoder.layer1.0.conv1.weight: tensor<2x3x3x2xf32>,
      %encoder.layer1.0.bn1.running_mean: tensor<2xf32>
  ) -> (
      tensor<4x8x8x2xf32>,
      tensor<4x8x8x2xf32>,
      tensor<8xf32>
  ) {
    // encoder.bn1: normalise
    %0 = stablehlo.reshape %encoder.conv1.z : (tensor<4x8x8x2xf32>) -> tensor<2x128x2xf32>
    %1 = stablehlo.reshape %online.encoder.bn1.statistics : (tensor<8xf32>) -> tensor<2x4xf32>
    %2 = stablehlo.slice %1 [0:2, 0:2] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %3 = stablehlo.broadcast_in_dim %2, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x128x2xf32>
    %4 = stablehlo.subtract %0, %3 : tensor<2x128x2xf32>
    %5 = stablehlo.reshape %online.encoder.bn1.statistics : (tensor<8xf32>) -> tensor<2x4xf32>
    %6 = stablehlo.slice %5 [0:2, 2:4] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %7 = stablehlo.broadcast_in_dim %6, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x128x2xf32>
    %8 = stablehlo.multiply %4, %7 : tensor<2x128x2xf32>
    %9 = stablehlo.broadcast_in_dim %encoder.bn1.weight, dims = [2] : (tensor<2xf32>) -> tensor<2x128x2xf32>
    %10 = stablehlo.multiply %8, %9 : tensor<2x128x2xf32>
    %11 = stablehlo.broadcast_in_dim %encoder.bn1.bias, dims = [2] : (tensor<2xf32>) -> tensor<2x128x2xf32>
    %12 = stablehlo.add %10, %11 : tensor<2x128x2xf32>
    %13 = stablehlo.reshape %12 : (tensor<2x128x2xf32>) -> tensor<4x8x8x2xf32>
    %14 = stablehlo.constant dense<0.0e+00> : tensor<4x8x8x2xf32>
    %encoder.conv1.y = stablehlo.maximum %13, %14 : tensor<4x8x8x2xf32>
    // encoder.layer1.0.conv1: 3×3, stride 1, 2 to 2 channels
    %encoder.layer1.0.conv1.z = stablehlo.convolution(%encoder.conv1.y, %encoder.layer1.0.conv1.weight) dim_numbers = [b, 0, 1, f]x[o, 0, 1, i]->[b, 0, 1, f], window = {stride = [1, 1], pad = [[1, 1], [1, 1]], lhs_dilate = [1, 1], rhs_dilate = [1, 1]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64, precision_config = [#stablehlo<precision HIGHEST>, #stablehlo<precision HIGHEST>]} : (tensor<4x8x8x2xf32>, tensor<2x3x3x2xf32>) -> tensor<4x8x8x2xf32>
    // encoder.layer1.0.bn1: sums of the distance from the running mean, and of its square
    %15 = stablehlo.reshape %encoder.layer1.0.conv1.z : (tensor<4x8x8x2xf32>) -> tensor<2x128x2xf32>
    %16 = stablehlo.broadcast_in_dim %encoder.layer1.0.bn1.running_mean, dims = [2] : (tensor<2xf32>) -> tensor<2x128x2xf32>
    %17 = stablehlo.subtract %15, %16 : tensor<2x128x2xf32>
    %18 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %19 = stablehlo.reduce(%17 init: %18) applies stablehlo.add across dimensions = [1] : (tensor<2x128x2xf32>, tensor<f32>) -> tensor<2x2xf32>
    %20 = stablehlo.multiply %17, %17 : tensor<2x128x2xf32>
    %21 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %22 = stablehlo.reduce(%20 init: %21) applies stablehlo.add across dimensions = [1] : (tensor<2x128x2xf32>, tensor<f32>) -> tensor<2x2xf32>
    %23 = stablehlo.concatenate %19, %22, dim = 1 : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x4xf32>
    %sums = stablehlo.reshape %23 : (tensor<2x4xf32>) -> tensor<8xf32>
    return %encoder.conv1.y, %encoder.layer1.0.conv1.z, %sums : tensor<4x8x8x2xf32>, tensor<4x8x8x2xf32>, tensor<8xf32>
  }
}
module @online_2 {
  func.func public @main(
      %encoder.layer1.0.conv1.z: tensor<4x8x8x2xf32>,
      %online.encoder.layer1.0.bn1.statistics: tensor<8xf32>,
      %encoder.layer1.0.bn1.weight: tensor<2xf32>,
      %encoder.layer1.0.bn1.bias: tensor<2xf32>,
      %encoder.layer1.0.conv2.weight: tensor<2x3x3x2xf32>,
      %encoder.layer1.0.bn2.running_mean: tensor<2xf32>
  ) -> (
      tensor<4x8x8x2xf32>,
      tensor<4x8x8x2xf32>,
      tensor<8xf32>
  ) {
    // encoder.layer1.0.bn1: normalise
    %0 = stablehlo.reshape %encoder.layer1.0.conv1.z : (tensor<4x8x8x2xf32>) -> tensor<2x128x2xf32>
    %1 = stablehlo.reshape %online.encoder.layer1.0.bn1.statistics : (tensor<8xf32>) -> tensor<2x4xf32>
    %2 = stablehlo.slice %1 [0:2, 0:2] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %3 = stablehlo.broadcast_in_dim %2, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x128x2xf32>
    %4 = stablehlo.subtract %0, %3 : tensor<2x128x2xf32>
    %5 = stablehlo.reshape %online.encoder.layer1.0.bn1.statistics : (tensor<8xf32>) -> tensor<2x4xf32>
    %6 = stablehlo.slice %5 [0:2, 2:4] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %7 = stablehlo.broadcast_in_dim %6, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x128x2xf32>
    %8 = stablehlo.multiply %4, %7 : tensor<2x128x2xf32>
    %9 = stablehlo.broadcast_in_dim %encoder.layer1.0.bn1.weight, dims = [2] : (tensor<2xf32>) -> tensor<2x128x2xf32>
    %10 = stablehlo.multiply %8, %9 : tensor<2x128x2xf32>
    %11 = stablehlo.broadcast_in_dim %encoder.layer1.0.bn1.bias, dims = [2] : (tensor<2xf32>) -> tensor<2x128x2xf32>
    %12 = stablehlo.add %10, %11 : tensor<2x128x2xf32>
    %13 = stablehlo.reshape %12 : (tensor<2x128x2xf32>) -> tensor<4x8x8x2xf32>
    %14 = stablehlo.constant dense<0.0e+00> : tensor<4x8x8x2xf32>
    %encoder.layer1.0.conv1.y = stablehlo.maximum %13, %14 : tensor<4x8x8x2xf32>
    // encoder.layer1.0.conv2: 3×3, stride 1, 2 to 2 channels
    %encoder.layer1.0.conv2.z = stablehlo.convolution(%encoder.layer1.0.conv1.y, %encoder.layer1.0.conv2.weight) dim_numbers = [b, 0, 1, f]x[o, 0, 1, i]->[b, 0, 1, f], window = {stride = [1, 1], pad = [[1, 1], [1, 1]], lhs_dilate = [1, 1], rhs_dilate = [1, 1]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64, precision_config = [#stablehlo<precision HIGHEST>, #stablehlo<precision HIGHEST>]} : (tensor<4x8x8x2xf32>, tensor<2x3x3x2xf32>) -> tensor<4x8x8x2xf32>
    // encoder.layer1.0.bn2: sums of the distance from the running mean, and of its square
    %15 = stablehlo.reshape %encoder.layer1.0.conv2.z : (tensor<4x8x8x2xf32>) -> tensor<2x128x2xf32>
    %16 = stablehlo.broadcast_in_dim %encoder.layer1.0.bn2.running_mean, dims = [2] : (tensor<2xf32>) -> tensor<2x128x2xf32>
    %17 = stablehlo.subtract %15, %16 : tensor<2x128x2xf32>
    %18 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %19 = stablehlo.reduce(%17 init: %18) applies stablehlo.add across dimensions = [1] : (tensor<2x128x2xf32>, tensor<f32>) -> tensor<2x2xf32>
    %20 = stablehlo.multiply %17, %17 : tensor<2x128x2xf32>
    %21 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %22 = stablehlo.reduce(%20 init: %21) applies stablehlo.add across dimensions = [1] : (tensor<2x128x2xf32>, tensor<f32>) -> tensor<2x2xf32>
    %23 = stablehlo.concatenate %19, %22, dim = 1 : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x4xf32>
    %sums = stablehlo.reshape %23 : (tensor<2x4xf32>) -> tensor<8xf32>
    return %encoder.layer1.0.conv1.y, %encoder.layer1.0.conv2.z, %sums : tensor<4x8x8x2xf32>, tensor<4x8x8x2xf32>, tensor<8xf32>
  }
}
module @online_3 {
  func.func public @main(
      %encoder.layer1.0.conv2.z: tensor<4x8x8x2xf32>,
      %online.encoder.layer1.0.bn2.statistics: tensor<8xf32>,
      %encoder.layer1.0.bn2.weight: tensor<2xf32>,
      %encoder.layer1.0.bn2.bias: tensor<2xf32>,
      %encoder.conv1.y: tensor<4x8x8x2xf32>,
      %encoder.layer2.0.conv1.weight: tensor<4x3x3x2xf32>,
      %encoder.layer2.0.bn1.running_mean: tensor<4xf32>
  ) -> (
      tensor<4x8x8x2xf32>,
      tensor<4x4x4x4xf32>,
      tensor<16xf32>
  ) {
    // encoder.layer1.0.bn2: normalise
    %0 = stablehlo.reshape %encoder.layer1.0.conv2.z : (tensor<4x8x8x2xf32>) -> tensor<2x128x2xf32>
    %1 = stablehlo.reshape %online.encoder.layer1.0.bn2.statistics : (tensor<8xf32>) -> tensor<2x4xf32>
    %2 = stablehlo.slice %1 [0:2, 0:2] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %3 = stablehlo.broadcast_in_dim %2, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x128x2xf32>
    %4 = stablehlo.subtract %0, %3 : tensor<2x128x2xf32>
    %5 = stablehlo.reshape %online.encoder.layer1.0.bn2.statistics : (tensor<8xf32>) -> tensor<2x4xf32>
    %6 = stablehlo.slice %5 [0:2, 2:4] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %7 = stablehlo.broadcast_in_dim %6, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x128x2xf32>
    %8 = stablehlo.multiply %4, %7 : tensor<2x128x2xf32>
    %9 = stablehlo.broadcast_in_dim %encoder.layer1.0.bn2.weight, dims = [2] : (tensor<2xf32>) -> tensor<2x128x2xf32>
    %10 = stablehlo.multiply %8, %9 : tensor<2x128x2xf32>
    %11 = stablehlo.broadcast_in_dim %encoder.layer1.0.bn2.bias, dims = [2] : (tensor<2xf32>) -> tensor<2x128x2xf32>
    %12 = stablehlo.add %10, %11 : tensor<2x128x2xf32>
    %13 = stablehlo.reshape %12 : (tensor<2x128x2xf32>) -> tensor<4x8x8x2xf32>
    %14 = stablehlo.add %13, %encoder.conv1.y : tensor<4x8x8x2xf32>
    %15 = stablehlo.constant dense<0.0e+00> : tensor<4x8x8x2xf32>
    %encoder.layer1.0.conv2.y = stablehlo.maximum %14, %15 : tensor<4x8x8x2xf32>
    // encoder.layer2.0.conv1: 3×3, stride 2, 2 to 4 channels
    %encoder.layer2.0.conv1.z = stablehlo.convolution(%encoder.layer1.0.conv2.y, %encoder.layer2.0.conv1.weight) dim_numbers = [b, 0, 1, f]x[o, 0, 1, i]->[b, 0, 1, f], window = {stride = [2, 2], pad = [[1, 1], [1, 1]], lhs_dilate = [1, 1], rhs_dilate = [1, 1]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64, precision_config = [#stablehlo<precision HIGHEST>, #stablehlo<precision HIGHEST>]} : (tensor<4x8x8x2xf32>, tensor<4x3x3x2xf32>) -> tensor<4x4x4x4xf32>
    // encoder.layer2.0.bn1: sums of the distance from the running mean, and of its square
    %16 = stablehlo.reshape %encoder.layer2.0.conv1.z : (tensor<4x4x4x4xf32>) -> tensor<2x32x4xf32>
    %17 = stablehlo.broadcast_in_dim %encoder.layer2.0.bn1.running_mean, dims = [2] : (tensor<4xf32>) -> tensor<2x32x4xf32>
    %18 = stablehlo.subtract %16, %17 : tensor<2x32x4xf32>
    %19 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %20 = stablehlo.reduce(%18 init: %19) applies stablehlo.add across dimensions = [1] : (tensor<2x32x4xf32>, tensor<f32>) -> tensor<2x4xf32>
    %21 = stablehlo.multiply %18, %18 : tensor<2x32x4xf32>
    %22 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %23 = stablehlo.reduce(%21 init: %22) applies stablehlo.add across dimensions = [1] : (tensor<2x32x4xf32>, tensor<f32>) -> tensor<2x4xf32>
    %24 = stablehlo.concatenate %20, %23, dim = 1 : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x8xf32>
    %sums = stablehlo.reshape %24 : (tensor<2x8xf32>) -> tensor<16xf32>
    return %encoder.layer1.0.conv2.y, %encoder.layer2.0.conv1.z, %sums : tensor<4x8x8x2xf32>, tensor<4x4x4x4xf32>, tensor<16xf32>
  }
}
module @online_4 {
  func.func public @main(
      %encoder.layer2.0.conv1.z: tensor<4x4x4x4xf32>,
      %online.encoder.layer2.0.bn1.statistics: tensor<16xf32>,
      %encoder.layer2.0.bn1.weight: tensor<4xf32>,
      %encoder.layer2.0.bn1.bias: tensor<4xf32>,
      %encoder.layer2.0.conv2.weight: tensor<4x3x3x4xf32>,
      %encoder.layer1.0.conv2.y: tensor<4x8x8x2xf32>,
      %encoder.layer2.0.downsample.0.weight: tensor<4x1x1x2xf32>,
      %encoder.layer2.0.bn2.running_mean: tensor<4xf32>,
      %encoder.layer2.0.downsample.1.running_mean: tensor<4xf32>
  ) -> (
      tensor<4x4x4x4xf32>,
      tensor<4x4x4x4xf32>,
      tensor<4x4x4x4xf32>,
      tensor<32xf32>
  ) {
    // encoder.layer2.0.bn1: normalise
    %0 = stablehlo.reshape %encoder.layer2.0.conv1.z : (tensor<4x4x4x4xf32>) -> tensor<2x32x4xf32>
    %1 = stablehlo.reshape %online.encoder.layer2.0.bn1.statistics : (tensor<16xf32>) -> tensor<2x8xf32>
    %2 = stablehlo.slice %1 [0:2, 0:4] : (tensor<2x8xf32>) -> tensor<2x4xf32>
    %3 = stablehlo.broadcast_in_dim %2, dims = [0, 2] : (tensor<2x4xf32>) -> tensor<2x32x4xf32>
    %4 = stablehlo.subtract %0, %3 : tensor<2x32x4xf32>
    %5 = stablehlo.reshape %online.encoder.layer2.0.bn1.statistics : (tensor<16xf32>) -> tensor<2x8xf32>
    %6 = stablehlo.slice %5 [0:2, 4:8] : (tensor<2x8xf32>) -> tensor<2x4xf32>
    %7 = stablehlo.broadcast_in_dim %6, dims = [0, 2] : (tensor<2x4xf32>) -> tensor<2x32x4xf32>
    %8 = stablehlo.multiply %4, %7 : tensor<2x32x4xf32>
    %9 = stablehlo.broadcast_in_dim %encoder.layer2.0.bn1.weight, dims = [2] : (tensor<4xf32>) -> tensor<2x32x4xf32>
    %10 = stablehlo.multiply %8, %9 : tensor<2x32x4xf32>
    %11 = stablehlo.broadcast_in_dim %encoder.layer2.0.bn1.bias, dims = [2] : (tensor<4xf32>) -> tensor<2x32x4xf32>
    %12 = stablehlo.add %10, %11 : tensor<2x32x4xf32>
    %13 = stablehlo.reshape %12 : (tensor<2x32x4xf32>) -> tensor<4x4x4x4xf32>
    %14 = stablehlo.constant dense<0.0e+00> : tensor<4x4x4x4xf32>
    %encoder.layer2.0.conv1.y = stablehlo.maximum %13, %14 : tensor<4x4x4x4xf32>
    // encoder.layer2.0.conv2: 3×3, stride 1, 4 to 4 channels
    %encoder.layer2.0.conv2.z = stablehlo.convolution(%encoder.layer2.0.conv1.y, %encoder.layer2.0.conv2.weight) dim_numbers = [b, 0, 1, f]x[o, 0, 1, i]->[b, 0, 1, f], window = {stride = [1, 1], pad = [[1, 1], [1, 1]], lhs_dilate = [1, 1], rhs_dilate = [1, 1]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64, precision_config = [#stablehlo<precision HIGHEST>, #stablehlo<precision HIGHEST>]} : (tensor<4x4x4x4xf32>, tensor<4x3x3x4xf32>) -> tensor<4x4x4x4xf32>
    // encoder.layer2.0.downsample.0: 1×1, stride 2, 2 to 4 channels
    %encoder.layer2.0.downsample.0.z = stablehlo.convolution(%encoder.layer1.0.conv2.y, %encoder.layer2.0.downsample.0.weight) dim_numbers = [b, 0, 1, f]x[o, 0, 1, i]->[b, 0, 1, f], window = {stride = [2, 2], pad = [[0, 0], [0, 0]], lhs_dilate = [1, 1], rhs_dilate = [1, 1]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64, precision_config = [#stablehlo<precision HIGHEST>, #stablehlo<precision HIGHEST>]} : (tensor<4x8x8x2xf32>, tensor<4x1x1x2xf32>) -> tensor<4x4x4x4xf32>
    // encoder.layer2.0.bn2: sums of the distance from the running mean, and of its square
    %15 = stablehlo.reshape %encoder.layer2.0.conv2.z : (tensor<4x4x4x4xf32>) -> tensor<2x32x4xf32>
    %16 = stablehlo.broadcast_in_dim %encoder.layer2.0.bn2.running_mean, dims = [2] : (tensor<4xf32>) -> tensor<2x32x4xf32>
    %17 = stablehlo.subtract %15, %16 : tensor<2x32x4xf32>
    %18 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %19 = stablehlo.reduce(%17 init: %18) applies stablehlo.add across dimensions = [1] : (tensor<2x32x4xf32>, tensor<f32>) -> tensor<2x4xf32>
    %20 = stablehlo.multiply %17, %17 : tensor<2x32x4xf32>
    %21 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %22 = stablehlo.reduce(%20 init: %21) applies stablehlo.add across dimensions = [1] : (tensor<2x32x4xf32>, tensor<f32>) -> tensor<2x4xf32>
    %23 = stablehlo.concatenate %19, %22, dim = 1 : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x8xf32>
    %24 = stablehlo.reshape %23 : (tensor<2x8xf32>) -> tensor<16xf32>
    // encoder.layer2.0.downsample.1: sums of the distance from the running mean, and of its square
    %25 = stablehlo.reshape %encoder.layer2.0.downsample.0.z : (tensor<4x4x4x4xf32>) -> tensor<2x32x4xf32>
    %26 = stablehlo.broadcast_in_dim %encoder.layer2.0.downsample.1.running_mean, dims = [2] : (tensor<4xf32>) -> tensor<2x32x4xf32>
    %27 = stablehlo.subtract %25, %26 : tensor<2x32x4xf32>
    %28 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %29 = stablehlo.reduce(%27 init: %28) applies stablehlo.add across dimensions = [1] : (tensor<2x32x4xf32>, tensor<f32>) -> tensor<2x4xf32>
    %30 = stablehlo.multiply %27, %27 : tensor<2x32x4xf32>
    %31 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %32 = stablehlo.reduce(%30 init: %31) applies stablehlo.add across dimensions = [1] : (tensor<2x32x4xf32>, tensor<f32>) -> tensor<2x4xf32>
    %33 = stablehlo.concatenate %29, %32, dim = 1 : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x8xf32>
    %34 = stablehlo.reshape %33 : (tensor<2x8xf32>) -> tensor<16xf32>
    %sums = stablehlo.concatenate %24, %34, dim = 0 : (tensor<16xf32>, tensor<16xf32>) -> tensor<32xf32>
    return %encoder.layer2.0.conv1.y, %encoder.layer2.0.conv2.z, %encoder.layer2.0.downsample.0.z, %sums : tensor<4x4x4x4xf32>, tensor<4x4x4x4xf32>, tensor<4x4x4x4xf32>, tensor<32xf32>
  }
}
module @online_5 {
  func.func public @main(
      %encoder.layer2.0.conv2.z: tensor<4x4x4x4xf32>,
      %online.encoder.layer2.0.bn2.statistics: tensor<32xf32>,
      %encoder.layer2.0.bn2.weight: tensor<4xf32>,
      %encoder.layer2.0.bn2.bias: tensor<4xf32>,
      %encoder.layer2.0.downsample.0.z: tensor<4x4x4x4xf32>,
      %encoder.layer2.0.downsample.1.weight: tensor<4xf32>,
      %encoder.layer2.0.downsample.1.bias: tensor<4xf32>,
      %projector.0.weight: tensor<6x4xf32>,
      %projector.0.bias: tensor<6xf32>,
      %projector.1.running_mean: tensor<6xf32>
  ) -> (
      tensor<4x4x4x4xf32>,
      tensor<4x4xf32>,
      tensor<4x6xf32>,
      tensor<24xf32>
  ) {
    // encoder.layer2.0.bn2: normalise
    %0 = stablehlo.reshape %encoder.layer2.0.conv2.z : (tensor<4x4x4x4xf32>) -> tensor<2x32x4xf32>
    %1 = stablehlo.slice %online.encoder.layer2.0.bn2.statistics [0:16] : (tensor<32xf32>) -> tensor<16xf32>
    %2 = stablehlo.reshape %1 : (tensor<16xf32>) -> tensor<2x8xf32>
    %3 = stablehlo.slice %2 [0:2, 0:4] : (tensor<2x8xf32>) -> tensor<2x4xf32>
    %4 = stablehlo.broadcast_in_dim %3, dims = [0, 2] : (tensor<2x4xf32>) -> tensor<2x32x4xf32>
    %5 = stablehlo.subtract %0, %4 : tensor<2x32x4xf32>
    %6 = stablehlo.slice %online.encoder.layer2.0.bn2.statistics [0:16] : (tensor<32xf32>) -> tensor<16xf32>
    %7 = stablehlo.reshape %6 : (tensor<16xf32>) -> tensor<2x8xf32>
    %8 = stablehlo.slice %7 [0:2, 4:8] : (tensor<2x8xf32>) -> tensor<2x4xf32>
    %9 = stablehlo.broadcast_in_dim %8, dims = [0, 2] : (tensor<2x4xf32>) -> tensor<2x32x4xf32>
    %10 = stablehlo.multiply %5, %9 : tensor<2x32x4xf32>
    %11 = stablehlo.broadcast_in_dim %encoder.layer2.0.bn2.weight, dims = [2] : (tensor<4xf32>) -> tensor<2x32x4xf32>
    %12 = stablehlo.multiply %10, %11 : tensor<2x32x4xf32>
    %13 = stablehlo.broadcast_in_dim %encoder.layer2.0.bn2.bias, dims = [2] : (tensor<4xf32>) -> tensor<2x32x4xf32>
    %14 = stablehlo.add %12, %13 : tensor<2x32x4xf32>
    %15 = stablehlo.reshape %14 : (tensor<2x32x4xf32>) -> tensor<4x4x4x4xf32>
    // encoder.layer2.0.downsample.1: normalise
    %16 = stablehlo.reshape %encoder.layer2.0.downsample.0.z : (tensor<4x4x4x4xf32>) -> tensor<2x32x4xf32>
    %17 = stablehlo.slice %online.encoder.layer2.0.bn2.statistics [16:32] : (tensor<32xf32>) -> tensor<16xf32>
    %18 = stablehlo.reshape %17 : (tensor<16xf32>) -> tensor<2x8xf32>
    %19 = stablehlo.slice %18 [0:2, 0:4] : (tensor<2x8xf32>) -> tensor<2x4xf32>
    %20 = stablehlo.broadcast_in_dim %19, dims = [0, 2] : (tensor<2x4xf32>) -> tensor<2x32x4xf32>
    %21 = stablehlo.subtract %16, %20 : tensor<2x32x4xf32>
    %22 = stablehlo.slice %online.encoder.layer2.0.bn2.statistics [16:32] : (tensor<32xf32>) -> tensor<16xf32>
    %23 = stablehlo.reshape %22 : (tensor<16xf32>) -> tensor<2x8xf32>
    %24 = stablehlo.slice %23 [0:2, 4:8] : (tensor<2x8xf32>) -> tensor<2x4xf32>
    %25 = stablehlo.broadcast_in_dim %24, dims = [0, 2] : (tensor<2x4xf32>) -> tensor<2x32x4xf32>
    %26 = stablehlo.multiply %21, %25 : tensor<2x32x4xf32>
    %27 = stablehlo.broadcast_in_dim %encoder.layer2.0.downsample.1.weight, dims = [2] : (tensor<4xf32>) -> tensor<2x32x4xf32>
    %28 = stablehlo.multiply %26, %27 : tensor<2x32x4xf32>
    %29 = stablehlo.broadcast_in_dim %encoder.layer2.0.downsample.1.bias, dims = [2] : (tensor<4xf32>) -> tensor<2x32x4xf32>
    %30 = stablehlo.add %28, %29 : tensor<2x32x4xf32>
    %31 = stablehlo.reshape %30 : (tensor<2x32x4xf32>) -> tensor<4x4x4x4xf32>
    %32 = stablehlo.add %15, %31 : tensor<4x4x4x4xf32>
    %33 = stablehlo.constant dense<0.0e+00> : tensor<4x4x4x4xf32>
    %encoder.layer2.0.conv2.y = stablehlo.maximum %32, %33 : tensor<4x4x4x4xf32>
    // mean over positions
    %34 = stablehlo.reshape %encoder.layer2.0.conv2.y : (tensor<4x4x4x4xf32>) -> tensor<4x16x4xf32>
    %35 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %36 = stablehlo.reduce(%34 init: %35) applies stablehlo.add across dimensions = [1] : (tensor<4x16x4xf32>, tensor<f32>) -> tensor<4x4xf32>
    %37 = stablehlo.constant dense<6.25e-02> : tensor<4x4xf32>
    %embedding = stablehlo.multiply %36, %37 : tensor<4x4xf32>
    // projector.0: 4 to 6
    %38 = stablehlo.dot_general %embedding, %projector.0.weight, contracting_dims = [1] x [1], precision = [HIGHEST, HIGHEST] : (tensor<4x4xf32>, tensor<6x4xf32>) -> tensor<4x6xf32>
    %39 = stablehlo.broadcast_in_dim %projector.0.bias, dims = [1] : (tensor<6xf32>) -> tensor<4x6xf32>
    %projector.0.z = stablehlo.add %38, %39 : tensor<4x6xf32>
    // projector.1: sums of the distance from the running mean, and of its square
    %40 = stablehlo.reshape %projector.0.z : (tensor<4x6xf32>) -> tensor<2x2x6xf32>
    %41 = stablehlo.broadcast_in_dim %projector.1.running_mean, dims = [2] : (tensor<6xf32>) -> tensor<2x2x6xf32>
    %42 = stablehlo.subtract %40, %41 : tensor<2x2x6xf32>
    %43 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %44 = stablehlo.reduce(%42 init: %43) applies stablehlo.add across dimensions = [1] : (tensor<2x2x6xf32>, tensor<f32>) -> tensor<2x6xf32>
    %45 = stablehlo.multiply %42, %42 : tensor<2x2x6xf32>
    %46 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %47 = stablehlo.reduce(%45 init: %46) applies stablehlo.add across dimensions = [1] : (tensor<2x2x6xf32>, tensor<f32>) -> tensor<2x6xf32>
    %48 = stablehlo.concatenate %44, %47, dim = 1 : (tensor<2x6xf32>, tensor<2x6xf32>) -> tensor<2x12xf32>
    %sums = stablehlo.reshape %48 : (tensor<2x12xf32>) -> tensor<24xf32>
    return %encoder.layer2.0.conv2.y, %embedding, %projector.0.z, %sums : tensor<4x4x4x4xf32>, tensor<4x4xf32>, tensor<4x6xf32>, tensor<24xf32>
  }
}
module @online_6 {
  func.func public @main(
      %projector.0.z: tensor<4x6xf32>,
      %online.projector.1.statistics: tensor<24xf32>,
      %projector.1.weight: tensor<6xf32>,
      %projector.1.bias: tensor<6xf32>,
      %projector.3.weight: tensor<4x6xf32>,
      %predictor.0.weight: tensor<5x4xf32>,
      %predictor.0.bias: tensor<5xf32>,
      %predictor.1.running_mean: tensor<5xf32>
  ) -> (
      tensor<4x6xf32>,
      tensor<4x4xf32>,
      tensor<4x5xf32>,
      tensor<20xf32>
  ) {
    // projector.1: normalise
    %0 = stablehlo.reshape %projector.0.z : (tensor<4x6xf32>) -> tensor<2x2x6xf32>
    %1 = stablehlo.reshape %online.projector.1.statistics : (tensor<24xf32>) -> tensor<2x12xf32>
    %2 = stablehlo.slice %1 [0:2, 0:6] : (tensor<2x12xf32>) -> tensor<2x6xf32>
    %3 = stablehlo.broadcast_in_dim %2, dims = [0, 2] : (tensor<2x6xf32>) -> tensor<2x2x6xf32>
    %4 = stablehlo.subtract %0, %3 : tensor<2x2x6xf32>
    %5 = stablehlo.reshape %online.projector.1.statistics : (tensor<24xf32>) -> tensor<2x12xf32>
    %6 = stablehlo.slice %5 [0:2, 6:12] : (tensor<2x12xf32>) -> tensor<2x6xf32>
    %7 = stablehlo.broadcast_in_dim %6, dims = [0, 2] : (tensor<2x6xf32>) -> tensor<2x2x6xf32>
    %8 = stablehlo.multiply %4, %7 : tensor<2x2x6xf32>
    %9 = stablehlo.broadcast_in_dim %projector.1.weight, dims = [2] : (tensor<6xf32>) -> tensor<2x2x6xf32>
    %10 = stablehlo.multiply %8, %9 : tensor<2x2x6xf32>
    %11 = stablehlo.broadcast_in_dim %projector.1.bias, dims = [2] : (tensor<6xf32>) -> tensor<2x2x6xf32>
    %12 = stablehlo.add %10, %11 : tensor<2x2x6xf32>
    %13 = stablehlo.reshape %12 : (tensor<2x2x6xf32>) -> tensor<4x6xf32>
    %14 = stablehlo.constant dense<0.0e+00> : tensor<4x6xf32>
    %projector.0.y = stablehlo.maximum %13, %14 : tensor<4x6xf32>
    // projector.3: 6 to 4
    %projection = stablehlo.dot_general %projector.0.y, %projector.3.weight, contracting_dims = [1] x [1], precision = [HIGHEST, HIGHEST] : (tensor<4x6xf32>, tensor<4x6xf32>) -> tensor<4x4xf32>
    // predictor.0: 4 to 5
    %15 = stablehlo.dot_general %projection, %predictor.0.weight, contracting_dims = [1] x [1], precision = [HIGHEST, HIGHEST] : (tensor<4x4xf32>, tensor<5x4xf32>) -> tensor<4x5xf32>
    %16 = stablehlo.broadcast_in_dim %predictor.0.bias, dims = [1] : (tensor<5xf32>) -> tensor<4x5xf32>
    %predictor.0.z = stablehlo.add %15, %16 : tensor<4x5xf32>
    // predictor.1: sums of the distance from the running mean, and of its square
    %17 = stablehlo.reshape %predictor.0.z : (tensor<4x5xf32>) -> tensor<2x2x5xf32>
    %18 = stablehlo.broadcast_in_dim %predictor.1.running_mean, dims = [2] : (tensor<5xf32>) -> tensor<2x2x5xf32>
    %19 = stablehlo.subtract %17, %18 : tensor<2x2x5xf32>
    %20 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %21 = stablehlo.reduce(%19 init: %20) applies stablehlo.add across dimensions = [1] : (tensor<2x2x5xf32>, tensor<f32>) -> tensor<2x5xf32>
    %22 = stablehlo.multiply %19, %19 : tensor<2x2x5xf32>
    %23 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %24 = stablehlo.reduce(%22 init: %23) applies stablehlo.add across dimensions = [1] : (tensor<2x2x5xf32>, tensor<f32>) -> tensor<2x5xf32>
    %25 = stablehlo.concatenate %21, %24, dim = 1 : (tensor<2x5xf32>, tensor<2x5xf32>) -> tensor<2x10xf32>
    %sums = stablehlo.reshape %25 : (tensor<2x10xf32>) -> tensor<20xf32>
    return %projector.0.y, %projection, %predictor.0.z, %sums : tensor<4x6xf32>, tensor<4x4xf32>, tensor<4x5xf32>, tensor<20xf32>
  }
}
module @online_7 {
  func.func public @main(
      %predictor.0.z: tensor<4x5xf32>,
      %online.predictor.1.statistics: tensor<20xf32>,
      %predictor.1.weight: tensor<5xf32>,
      %predictor.1.bias: tensor<5xf32>,
      %predictor.3.weight: tensor<4x5xf32>
  ) -> (
      tensor<4x5xf32>,
      tensor<4x4xf32>
  ) {
    // predictor.1: normalise
    %0 = stablehlo.reshape %predictor.0.z : (tensor<4x5xf32>) -> tensor<2x2x5xf32>
    %1 = stablehlo.reshape %online.predictor.1.statistics : (tensor<20xf32>) -> tensor<2x10xf32>
    %2 = stablehlo.slice %1 [0:2, 0:5] : (tensor<2x10xf32>) -> tensor<2x5xf32>
    %3 = stablehlo.broadcast_in_dim %2, dims = [0, 2] : (tensor<2x5xf32>) -> tensor<2x2x5xf32>
    %4 = stablehlo.subtract %0, %3 : tensor<2x2x5xf32>
    %5 = stablehlo.reshape %online.predictor.1.statistics : (tensor<20xf32>) -> tensor<2x10xf32>
    %6 = stablehlo.slice %5 [0:2, 5:10] : (tensor<2x10xf32>) -> tensor<2x5xf32>
    %7 = stablehlo.broadcast_in_dim %6, dims = [0, 2] : (tensor<2x5xf32>) -> tensor<2x2x5xf32>
    %8 = stablehlo.multiply %4, %7 : tensor<2x2x5xf32>
    %9 = stablehlo.broadcast_in_dim %predictor.1.weight, dims = [2] : (tensor<5xf32>) -> tensor<2x2x5xf32>
    %10 = stablehlo.multiply %8, %9 : tensor<2x2x5xf32>
    %11 = stablehlo.broadcast_in_dim %predictor.1.bias, dims = [2] : (tensor<5xf32>) -> tensor<2x2x5xf32>
    %12 = stablehlo.add %10, %11 : tensor<2x2x5xf32>
    %13 = stablehlo.reshape %12 : (tensor<2x2x5xf32>) -> tensor<4x5xf32>
    %14 = stablehlo.constant dense<0.0e+00> : tensor<4x5xf32>
    %predictor.0.y = stablehlo.maximum %13, %14 : tensor<4x5xf32>
    // predictor.3: 5 to 4
    %prediction = stablehlo.dot_general %predictor.0.y, %predictor.3.weight, contracting_dims = [1] x [1], precision = [HIGHEST, HIGHEST] : (tensor<4x5xf32>, tensor<4x5xf32>) -> tensor<4x4xf32>
    return %predictor.0.y, %prediction : tensor<4x5xf32>, tensor<4x4xf32>
  }
}
module @target_0 {
  func.func public @main(
      %images: tensor<4x8x8x3xf32>,
      %encoder.conv1.weight: tensor<2x3x3x3xf32>,
      %encoder.bn1.running_mean: tensor<2xf32>
  ) -> (
      tensor<4x8x8x2xf32>,
      tensor<8xf32>
  ) {
    // encoder.conv1: 3×3, stride 1, 3 to 2 channels
    %0 = stablehlo.convolution(%images, %encoder.conv1.weight) dim_numbers = [b, 0, 1, f]x[o, 0, 1, i]->[b, 0, 1, f], window = {stride = [1, 1], pad = [[1, 1], [1, 1]], lhs_dilate = [1, 1], rhs_dilate = [1, 1]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64, precision_config = [#stablehlo<precision HIGHEST>, #stablehlo<precision HIGHEST>]} : (tensor<4x8x8x3xf32>, tensor<2x3x3x3xf32>) -> tensor<4x8x8x2xf32>
    // encoder.bn1: sums of the distance from the running mean, and of its square
    %1 = stablehlo.reshape %0 : (tensor<4x8x8x2xf32>) -> tensor<2x128x2xf32>
    %2 = stablehlo.broadcast_in_dim %encoder.bn1.running_mean, dims = [2] : (tensor<2xf32>) -> tensor<2x128x2xf32>
    %3 = stablehlo.subtract %1, %2 : tensor<2x128x2xf32>
    %4 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %5 = stablehlo.reduce(%3 init: %4) applies stablehlo.add across dimensions = [1] : (tensor<2x128x2xf32>, tensor<f32>) -> tensor<2x2xf32>
    %6 = stablehlo.multiply %3, %3 : tensor<2x128x2xf32>
    %7 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %8 = stablehlo.reduce(%6 init: %7) applies stablehlo.add across dimensions = [1] : (tensor<2x128x2xf32>, tensor<f32>) -> tensor<2x2xf32>
    %9 = stablehlo.concatenate %5, %8, dim = 1 : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x4xf32>
    %sums = stablehlo.reshape %9 : (tensor<2x4xf32>) -> tensor<8xf32>
    return %0, %sums : tensor<4x8x8x2xf32>, tensor<8xf32>
  }
}
module @target_1 {
  func.func public @main(
      %0: tensor<4x8x8x2xf32> {tf.aliasing_output = 0 : i32},
      %target.encoder.bn1.statistics: tensor<8xf32>,
      %encoder.bn1.weight: tensor<2xf32>,
      %encoder.bn1.bias: tensor<2xf32>,
      %encoder.layer1.0.conv1.weight: tensor<2x3x3x2xf32>,
      %encoder.layer1.0.bn1.running_mean: tensor<2xf32>
  ) -> (
      tensor<4x8x8x2xf32>,
      tensor<4x8x8x2xf32>,
      tensor<8xf32>
  ) {
    // encoder.bn1: normalise
    %1 = stablehlo.reshape %0 : (tensor<4x8x8x2xf32>) -> tensor<2x128x2xf32>
    %2 = stablehlo.reshape %target.encoder.bn1.statistics : (tensor<8xf32>) -> tensor<2x4xf32>
    %3 = stablehlo.slice %2 [0:2, 0:2] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %4 = stablehlo.broadcast_in_dim %3, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x128x2xf32>
    %5 = stablehlo.subtract %1, %4 : tensor<2x128x2xf32>
    %6 = stablehlo.reshape %target.encoder.bn1.statistics : (tensor<8xf32>) -> tensor<2x4xf32>
    %7 = stablehlo.slice %6 [0:2, 2:4] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %8 = stablehlo.broadcast_in_dim %7, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x128x2xf32>
    %9 = stablehlo.multiply %5, %8 : tensor<2x128x2xf32>
    %10 = stablehlo.broadcast_in_dim %encoder.bn1.weight, dims = [2] : (tensor<2xf32>) -> tensor<2x128x2xf32>
    %11 = stablehlo.multiply %9, %10 : tensor<2x128x2xf32>
    %12 = stablehlo.broadcast_in_dim %encoder.bn1.bias, dims = [2] : (tensor<2xf32>) -> tensor<2x128x2xf32>
    %13 = stablehlo.add %11, %12 : tensor<2x128x2xf32>
    %14 = stablehlo.reshape %13 : (tensor<2x128x2xf32>) -> tensor<4x8x8x2xf32>
    %15 = stablehlo.constant dense<0.0e+00> : tensor<4x8x8x2xf32>
    %16 = stablehlo.maximum %14, %15 : tensor<4x8x8x2xf32>
    // encoder.layer1.0.conv1: 3×3, stride 1, 2 to 2 channels
    %17 = stablehlo.convolution(%16, %encoder.layer1.0.conv1.weight) dim_numbers = [b, 0, 1, f]x[o, 0, 1, i]->[b, 0, 1, f], window = {stride = [1, 1], pad = [[1, 1], [1, 1]], lhs_dilate = [1, 1], rhs_dilate = [1, 1]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64, precision_config = [#stablehlo<precision HIGHEST>, #stablehlo<precision HIGHEST>]} : (tensor<4x8x8x2xf32>, tensor<2x3x3x2xf32>) -> tensor<4x8x8x2xf32>
    // encoder.layer1.0.bn1: sums of the distance from the running mean, and of its square
    %18 = stablehlo.reshape %17 : (tensor<4x8x8x2xf32>) -> tensor<2x128x2xf32>
    %19 = stablehlo.broadcast_in_dim %encoder.layer1.0.bn1.running_mean, dims = [2] : (tensor<2xf32>) -> tensor<2x128x2xf32>
    %20 = stablehlo.subtract %18, %19 : tensor<2x128x2xf32>
    %21 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %22 = stablehlo.reduce(%20 init: %21) applies stablehlo.add across dimensions = [1] : (tensor<2x128x2xf32>, tensor<f32>) -> tensor<2x2xf32>
    %23 = stablehlo.multiply %20, %20 : tensor<2x128x2xf32>
    %24 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %25 = stablehlo.reduce(%23 init: %24) applies stablehlo.add across dimensions = [1] : (tensor<2x128x2xf32>, tensor<f32>) -> tensor<2x2xf32>
    %26 = stablehlo.concatenate %22, %25, dim = 1 : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x4xf32>
    %sums = stablehlo.reshape %26 : (tensor<2x4xf32>) -> tensor<8xf32>
    return %16, %17, %sums : tensor<4x8x8x2xf32>, tensor<4x8x8x2xf32>, tensor<8xf32>
  }
}
module @target_2 {
  func.func public @main(
      %0: tensor<4x8x8x2xf32> {tf.aliasing_output = 0 : i32},
      %target.encoder.layer1.0.bn1.statistics: tensor<8xf32>,
      %encoder.layer1.0.bn1.weight: tensor<2xf32>,
      %encoder.layer1.0.bn1.bias: tensor<2xf32>,
      %encoder.layer1.0.conv2.weight: tensor<2x3x3x2xf32>,
      %encoder.layer1.0.bn2.running_mean: tensor<2xf32>
  ) -> (
      tensor<4x8x8x2xf32>,
      tensor<8xf32>
  ) {
    // encoder.layer1.0.bn1: normalise
    %1 = stablehlo.reshape %0 : (tensor<4x8x8x2xf32>) -> tensor<2x128x2xf32>
    %2 = stablehlo.reshape %target.encoder.layer1.0.bn1.statistics : (tensor<8xf32>) -> tensor<2x4xf32>
    %3 = stablehlo.slice %2 [0:2, 0:2] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %4 = stablehlo.broadcast_in_dim %3, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x128x2xf32>
    %5 = stablehlo.subtract %1, %4 : tensor<2x128x2xf32>
    %6 = stablehlo.reshape %target.encoder.layer1.0.bn1.statistics : (tensor<8xf32>) -> tensor<2x4xf32>
    %7 = stablehlo.slice %6 [0:2, 2:4] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %8 = stablehlo.broadcast_in_dim %7, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x128x2xf32>
    %9 = stablehlo.multiply %5, %8 : tensor<2x128x2xf32>
    %10 = stablehlo.broadcast_in_dim %encoder.layer1.0.bn1.weight, dims = [2] : (tensor<2xf32>) -> tensor<2x128x2xf32>
    %11 = stablehlo.multiply %9, %10 : tensor<2x128x2xf32>
    %12 = stablehlo.broadcast_in_dim %encoder.layer1.0.bn1.bias, dims = [2] : (tensor<2xf32>) -> tensor<2x128x2xf32>
    %13 = stablehlo.add %11, %12 : tensor<2x128x2xf32>
    %14 = stablehlo.reshape %13 : (tensor<2x128x2xf32>) -> tensor<4x8x8x2xf32>
    %15 = stablehlo.constant dense<0.0e+00> : tensor<4x8x8x2xf32>
    %16 = stablehlo.maximum %14, %15 : tensor<4x8x8x2xf32>
    // encoder.layer1.0.conv2: 3×3, stride 1, 2 to 2 channels
    %17 = stablehlo.convolution(%16, %encoder.layer1.0.conv2.weight) dim_numbers = [b, 0, 1, f]x[o, 0, 1, i]->[b, 0, 1, f], window = {stride = [1, 1], pad = [[1, 1], [1, 1]], lhs_dilate = [1, 1], rhs_dilate = [1, 1]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64, precision_config = [#stablehlo<precision HIGHEST>, #stablehlo<precision HIGHEST>]} : (tensor<4x8x8x2xf32>, tensor<2x3x3x2xf32>) -> tensor<4x8x8x2xf32>
    // encoder.layer1.0.bn2: sums of the distance from the running mean, and of its square
    %18 = stablehlo.reshape %17 : (tensor<4x8x8x2xf32>) -> tensor<2x128x2xf32>
    %19 = stablehlo.broadcast_in_dim %encoder.layer1.0.bn2.running_mean, dims = [2] : (tensor<2xf32>) -> tensor<2x128x2xf32>
    %20 = stablehlo.subtract %18, %19 : tensor<2x128x2xf32>
    %21 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %22 = stablehlo.reduce(%20 init: %21) applies stablehlo.add across dimensions = [1] : (tensor<2x128x2xf32>, tensor<f32>) -> tensor<2x2xf32>
    %23 = stablehlo.multiply %20, %20 : tensor<2x128x2xf32>
    %24 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %25 = stablehlo.reduce(%23 init: %24) applies stablehlo.add across dimensions = [1] : (tensor<2x128x2xf32>, tensor<f32>) -> tensor<2x2xf32>
    %26 = stablehlo.concatenate %22, %25, dim = 1 : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x4xf32>
    %sums = stablehlo.reshape %26 : (tensor<2x4xf32>) -> tensor<8xf32>
    return %17, %sums : tensor<4x8x8x2xf32>, tensor<8xf32>
  }
}
module @target_3 {
  func.func public @main(
      %0: tensor<4x8x8x2xf32> {tf.aliasing_output = 0 : i32},
      %target.encoder.layer1.0.bn2.statistics: tensor<8xf32>,
      %encoder.layer1.0.bn2.weight: tensor<2xf32>,
      %encoder.layer1.0.bn2.bias: tensor<2xf32>,
      %1: tensor<4x8x8x2xf32>,
      %encoder.layer2.0.conv1.weight: tensor<4x3x3x2xf32>,
      %encoder.layer2.0.bn1.running_mean: tensor<4xf32>
  ) -> (
      tensor<4x8x8x2xf32>,
      tensor<4x4x4x4xf32>,
      tensor<16xf32>
  ) {
    // encoder.layer1.0.bn2: normalise
    %2 = stablehlo.reshape %0 : (tensor<4x8x8x2xf32>) -> tensor<2x128x2xf32>
    %3 = stablehlo.reshape %target.encoder.layer1.0.bn2.statistics : (tensor<8xf32>) -> tensor<2x4xf32>
    %4 = stablehlo.slice %3 [0:2, 0:2] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %5 = stablehlo.broadcast_in_dim %4, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x128x2xf32>
    %6 = stablehlo.subtract %2, %5 : tensor<2x128x2xf32>
    %7 = stablehlo.reshape %target.encoder.layer1.0.bn2.statistics : (tensor<8xf32>) -> tensor<2x4xf32>
    %8 = stablehlo.slice %7 [0:2, 2:4] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %9 = stablehlo.broadcast_in_dim %8, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x128x2xf32>
    %10 = stablehlo.multiply %6, %9 : tensor<2x128x2xf32>
    %11 = stablehlo.broadcast_in_dim %encoder.layer1.0.bn2.weight, dims = [2] : (tensor<2xf32>) -> tensor<2x128x2xf32>
    %12 = stablehlo.multiply %10, %11 : tensor<2x128x2xf32>
    %13 = stablehlo.broadcast_in_dim %encoder.layer1.0.bn2.bias, dims = [2] : (tensor<2xf32>) -> tensor<2x128x2xf32>
    %14 = stablehlo.add %12, %13 : tensor<2x128x2xf32>
    %15 = stablehlo.reshape %14 : (tensor<2x128x2xf32>) -> tensor<4x8x8x2xf32>
    %16 = stablehlo.add %15, %1 : tensor<4x8x8x2xf32>
    %17 = stablehlo.constant dense<0.0e+00> : tensor<4x8x8x2xf32>
    %18 = stablehlo.maximum %16, %17 : tensor<4x8x8x2xf32>
    // encoder.layer2.0.conv1: 3×3, stride 2, 2 to 4 channels
    %19 = stablehlo.convolution(%18, %encoder.layer2.0.conv1.weight) dim_numbers = [b, 0, 1, f]x[o, 0, 1, i]->[b, 0, 1, f], window = {stride = [2, 2], pad = [[1, 1], [1, 1]], lhs_dilate = [1, 1], rhs_dilate = [1, 1]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64, precision_config = [#stablehlo<precision HIGHEST>, #stablehlo<precision HIGHEST>]} : (tensor<4x8x8x2xf32>, tensor<4x3x3x2xf32>) -> tensor<4x4x4x4xf32>
    // encoder.layer2.0.bn1: sums of the distance from the running mean, and of its square
    %20 = stablehlo.reshape %19 : (tensor<4x4x4x4xf32>) -> tensor<2x32x4xf32>
    %21 = stablehlo.broadcast_in_dim %encoder.layer2.0.bn1.running_mean, dims = [2] : (tensor<4xf32>) -> tensor<2x32x4xf32>
    %22 = stablehlo.subtract %20, %21 : tensor<2x32x4xf32>
    %23 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %24 = stablehlo.reduce(%22 init: %23) applies stablehlo.add across dimensions = [1] : (tensor<2x32x4xf32>, tensor<f32>) -> tensor<2x4xf32>
    %25 = stablehlo.multiply %22, %22 : tensor<2x32x4xf32>
    %26 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %27 = stablehlo.reduce(%25 init: %26) applies stablehlo.add across dimensions = [1] : (tensor<2x32x4xf32>, tensor<f32>) -> tensor<2x4xf32>
    %28 = stablehlo.concatenate %24, %27, dim = 1 : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x8xf32>
    %sums = stablehlo.reshape %28 : (tensor<2x8xf32>) -> tensor<16xf32>
    return %18, %19, %sums : tensor<4x8x8x2xf32>, tensor<4x4x4x4xf32>, tensor<16xf32>
  }
}
module @target_4 {
  func.func public @main(
      %0: tensor<4x4x4x4xf32> {tf.aliasing_output = 0 : i32},
      %target.encoder.layer2.0.bn1.statistics: tensor<16xf32>,
      %encoder.layer2.0.bn1.weight: tensor<4xf32>,
      %encoder.layer2.0.bn1.bias: tensor<4xf32>,
      %encoder.layer2.0.conv2.weight: tensor<4x3x3x4xf32>,
      %1: tensor<4x8x8x2xf32>,
      %encoder.layer2.0.downsample.0.weight: tensor<4x1x1x2xf32>,
      %encoder.layer2.0.bn2.running_mean: tensor<4xf32>,
      %encoder.layer2.0.downsample.1.running_mean: tensor<4xf32>
  ) -> (
      tensor<4x4x4x4xf32>,
      tensor<4x4x4x4xf32>,
      tensor<32xf32>
  ) {
    // encoder.layer2.0.bn1: normalise
    %2 = stablehlo.reshape %0 : (tensor<4x4x4x4xf32>) -> tensor<2x32x4xf32>
    %3 = stablehlo.reshape %target.encoder.layer2.0.bn1.statistics : (tensor<16xf32>) -> tensor<2x8xf32>
    %4 = stablehlo.slice %3 [0:2, 0:4] : (tensor<2x8xf32>) -> tensor<2x4xf32>
    %5 = stablehlo.broadcast_in_dim %4, dims = [0, 2] : (tensor<2x4xf32>) -> tensor<2x32x4xf32>
    %6 = stablehlo.subtract %2, %5 : tensor<2x32x4xf32>
    %7 = stablehlo.reshape %target.encoder.layer2.0.bn1.statistics : (tensor<16xf32>) -> tensor<2x8xf32>
    %8 = stablehlo.slice %7 [0:2, 4:8] : (tensor<2x8xf32>) -> tensor<2x4xf32>
    %9 = stablehlo.broadcast_in_dim %8, dims = [0, 2] : (tensor<2x4xf32>) -> tensor<2x32x4xf32>
    %10 = stablehlo.multiply %6, %9 : tensor<2x32x4xf32>
    %11 = stablehlo.broadcast_in_dim %encoder.layer2.0.bn1.weight, dims = [2] : (tensor<4xf32>) -> tensor<2x32x4xf32>
    %12 = stablehlo.multiply %10, %11 : tensor<2x32x4xf32>
    %13 = stablehlo.broadcast_in_dim %encoder.layer2.0.bn1.bias, dims = [2] : (tensor<4xf32>) -> tensor<2x32x4xf32>
    %14 = stablehlo.add %12, %13 : tensor<2x32x4xf32>
    %15 = stablehlo.reshape %14 : (tensor<2x32x4xf32>) -> tensor<4x4x4x4xf32>
    %16 = stablehlo.constant dense<0.0e+00> : tensor<4x4x4x4xf32>
    %17 = stablehlo.maximum %15, %16 : tensor<4x4x4x4xf32>
    // encoder.layer2.0.conv2: 3×3, stride 1, 4 to 4 channels
    %18 = stablehlo.convolution(%17, %encoder.layer2.0.conv2.weight) dim_numbers = [b, 0, 1, f]x[o, 0, 1, i]->[b, 0, 1, f], window = {stride = [1, 1], pad = [[1, 1], [1, 1]], lhs_dilate = [1, 1], rhs_dilate = [1, 1]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64, precision_config = [#stablehlo<precision HIGHEST>, #stablehlo<precision HIGHEST>]} : (tensor<4x4x4x4xf32>, tensor<4x3x3x4xf32>) -> tensor<4x4x4x4xf32>
    // encoder.layer2.0.downsample.0: 1×1, stride 2, 2 to 4 channels
    %19 = stablehlo.convolution(%1, %encoder.layer2.0.downsample.0.weight) dim_numbers = [b, 0, 1, f]x[o, 0, 1, i]->[b, 0, 1, f], window = {stride = [2, 2], pad = [[0, 0], [0, 0]], lhs_dilate = [1, 1], rhs_dilate = [1, 1]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64, precision_config = [#stablehlo<precision HIGHEST>, #stablehlo<precision HIGHEST>]} : (tensor<4x8x8x2xf32>, tensor<4x1x1x2xf32>) -> tensor<4x4x4x4xf32>
    // encoder.layer2.0.bn2: sums of the distance from the running mean, and of its square
    %20 = stablehlo.reshape %18 : (tensor<4x4x4x4xf32>) -> tensor<2x32x4xf32>
    %21 = stablehlo.broadcast_in_dim %encoder.layer2.0.bn2.running_mean, dims = [2] : (tensor<4xf32>) -> tensor<2x32x4xf32>
    %22 = stablehlo.subtract %20, %21 : tensor<2x32x4xf32>
    %23 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %24 = stablehlo.reduce(%22 init: %23) applies stablehlo.add across dimensions = [1] : (tensor<2x32x4xf32>, tensor<f32>) -> tensor<2x4xf32>
    %25 = stablehlo.multiply %22, %22 : tensor<2x32x4xf32>
    %26 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %27 = stablehlo.reduce(%25 init: %26) applies stablehlo.add across dimensions = [1] : (tensor<2x32x4xf32>, tensor<f32>) -> tensor<2x4xf32>
    %28 = stablehlo.concatenate %24, %27, dim = 1 : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x8xf32>
    %29 = stablehlo.reshape %28 : (tensor<2x8xf32>) -> tensor<16xf32>
    // encoder.layer2.0.downsample.1: sums of the distance from the running mean, and of its square
    %30 = stablehlo.reshape %19 : (tensor<4x4x4x4xf32>) -> tensor<2x32x4xf32>
    %31 = stablehlo.broadcast_in_dim %encoder.layer2.0.downsample.1.running_mean, dims = [2] : (tensor<4xf32>) -> tensor<2x32x4xf32>
    %32 = stablehlo.subtract %30, %31 : tensor<2x32x4xf32>
    %33 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %34 = stablehlo.reduce(%32 init: %33) applies stablehlo.add across dimensions = [1] : (tensor<2x32x4xf32>, tensor<f32>) -> tensor<2x4xf32>
    %35 = stablehlo.multiply %32, %32 : tensor<2x32x4xf32>
    %36 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %37 = stablehlo.reduce(%35 init: %36) applies stablehlo.add across dimensions = [1] : (tensor<2x32x4xf32>, tensor<f32>) -> tensor<2x4xf32>
    %38 = stablehlo.concatenate %34, %37, dim = 1 : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x8xf32>
    %39 = stablehlo.reshape %38 : (tensor<2x8xf32>) -> tensor<16xf32>
    %sums = stablehlo.concatenate %29, %39, dim = 0 : (tensor<16xf32>, tensor<16xf32>) -> tensor<32xf32>
    return %18, %19, %sums : tensor<4x4x4x4xf32>, tensor<4x4x4x4xf32>, tensor<32xf32>
  }
}
module @target_5 {
  func.func public @main(
      %0: tensor<4x4x4x4xf32>,
      %target.encoder.layer2.0.bn2.statistics: tensor<32xf32>,
      %encoder.layer2.0.bn2.weight: tensor<4xf32>,
      %encoder.layer2.0.bn2.bias: tensor<4xf32>,
      %1: tensor<4x4x4x4xf32>,
      %encoder.layer2.0.downsample.1.weight: tensor<4xf32>,
      %encoder.layer2.0.downsample.1.bias: tensor<4xf32>,
      %projector.0.weight: tensor<6x4xf32>,
      %projector.0.bias: tensor<6xf32>,
      %projector.1.running_mean: tensor<6xf32>
  ) -> (
      tensor<4x6xf32>,
      tensor<24xf32>
  ) {
    // encoder.layer2.0.bn2: normalise
    %2 = stablehlo.reshape %0 : (tensor<4x4x4x4xf32>) -> tensor<2x32x4xf32>
    %3 = stablehlo.slice %target.encoder.layer2.0.bn2.statistics [0:16] : (tensor<32xf32>) -> tensor<16xf32>
    %4 = stablehlo.reshape %3 : (tensor<16xf32>) -> tensor<2x8xf32>
    %5 = stablehlo.slice %4 [0:2, 0:4] : (tensor<2x8xf32>) -> tensor<2x4xf32>
    %6 = stablehlo.broadcast_in_dim %5, dims = [0, 2] : (tensor<2x4xf32>) -> tensor<2x32x4xf32>
    %7 = stablehlo.subtract %2, %6 : tensor<2x32x4xf32>
    %8 = stablehlo.slice %target.encoder.layer2.0.bn2.statistics [0:16] : (tensor<32xf32>) -> tensor<16xf32>
    %9 = stablehlo.reshape %8 : (tensor<16xf32>) -> tensor<2x8xf32>
    %10 = stablehlo.slice %9 [0:2, 4:8] : (tensor<2x8xf32>) -> tensor<2x4xf32>
    %11 = stablehlo.broadcast_in_dim %10, dims = [0, 2] : (tensor<2x4xf32>) -> tensor<2x32x4xf32>
    %12 = stablehlo.multiply %7, %11 : tensor<2x32x4xf32>
    %13 = stablehlo.broadcast_in_dim %encoder.layer2.0.bn2.weight, dims = [2] : (tensor<4xf32>) -> tensor<2x32x4xf32>
    %14 = stablehlo.multiply %12, %13 : tensor<2x32x4xf32>
    %15 = stablehlo.broadcast_in_dim %encoder.layer2.0.bn2.bias, dims = [2] : (tensor<4xf32>) -> tensor<2x32x4xf32>
    %16 = stablehlo.add %14, %15 : tensor<2x32x4xf32>
    %17 = stablehlo.reshape %16 : (tensor<2x32x4xf32>) -> tensor<4x4x4x4xf32>
    // encoder.layer2.0.downsample.1: normalise
    %18 = stablehlo.reshape %1 : (tensor<4x4x4x4xf32>) -> tensor<2x32x4xf32>
    %19 = stablehlo.slice %target.encoder.layer2.0.bn2.statistics [16:32] : (tensor<32xf32>) -> tensor<16xf32>
    %20 = stablehlo.reshape %19 : (tensor<16xf32>) -> tensor<2x8xf32>
    %21 = stablehlo.slice %20 [0:2, 0:4] : (tensor<2x8xf32>) -> tensor<2x4xf32>
    %22 = stablehlo.broadcast_in_dim %21, dims = [0, 2] : (tensor<2x4xf32>) -> tensor<2x32x4xf32>
    %23 = stablehlo.subtract %18, %22 : tensor<2x32x4xf32>
    %24 = stablehlo.slice %target.encoder.layer2.0.bn2.statistics [16:32] : (tensor<32xf32>) -> tensor<16xf32>
    %25 = stablehlo.reshape %24 : (tensor<16xf32>) -> tensor<2x8xf32>
    %26 = stablehlo.slice %25 [0:2, 4:8] : (tensor<2x8xf32>) -> tensor<2x4xf32>
    %27 = stablehlo.broadcast_in_dim %26, dims = [0, 2] : (tensor<2x4xf32>) -> tensor<2x32x4xf32>
    %28 = stablehlo.multiply %23, %27 : tensor<2x32x4xf32>
    %29 = stablehlo.broadcast_in_dim %encoder.layer2.0.downsample.1.weight, dims = [2] : (tensor<4xf32>) -> tensor<2x32x4xf32>
    %30 = stablehlo.multiply %28, %29 : tensor<2x32x4xf32>
    %31 = stablehlo.broadcast_in_dim %encoder.layer2.0.downsample.1.bias, dims = [2] : (tensor<4xf32>) -> tensor<2x32x4xf32>
    %32 = stablehlo.add %30, %31 : tensor<2x32x4xf32>
    %33 = stablehlo.reshape %32 : (tensor<2x32x4xf32>) -> tensor<4x4x4x4xf32>
    %34 = stablehlo.add %17, %33 : tensor<4x4x4x4xf32>
    %35 = stablehlo.constant dense<0.0e+00> : tensor<4x4x4x4xf32>
    %36 = stablehlo.maximum %34, %35 : tensor<4x4x4x4xf32>
    // mean over positions
    %37 = stablehlo.reshape %36 : (tensor<4x4x4x4xf32>) -> tensor<4x16x4xf32>
    %38 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %39 = stablehlo.reduce(%37 init: %38) applies stablehlo.add across dimensions = [1] : (tensor<4x16x4xf32>, tensor<f32>) -> tensor<4x4xf32>
    %40 = stablehlo.constant dense<6.25e-02> : tensor<4x4xf32>
    %41 = stablehlo.multiply %39, %40 : tensor<4x4xf32>
    // projector.0: 4 to 6
    %42 = stablehlo.dot_general %41, %projector.0.weight, contracting_dims = [1] x [1], precision = [HIGHEST, HIGHEST] : (tensor<4x4xf32>, tensor<6x4xf32>) -> tensor<4x6xf32>
    %43 = stablehlo.broadcast_in_dim %projector.0.bias, dims = [1] : (tensor<6xf32>) -> tensor<4x6xf32>
    %44 = stablehlo.add %42, %43 : tensor<4x6xf32>
    // projector.1: sums of the distance from the running mean, and of its square
    %45 = stablehlo.reshape %44 : (tensor<4x6xf32>) -> tensor<2x2x6xf32>
    %46 = stablehlo.broadcast_in_dim %projector.1.running_mean, dims = [2] : (tensor<6xf32>) -> tensor<2x2x6xf32>
    %47 = stablehlo.subtract %45, %46 : tensor<2x2x6xf32>
    %48 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %49 = stablehlo.reduce(%47 init: %48) applies stablehlo.add across dimensions = [1] : (tensor<2x2x6xf32>, tensor<f32>) -> tensor<2x6xf32>
    %50 = stablehlo.multiply %47, %47 : tensor<2x2x6xf32>
    %51 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %52 = stablehlo.reduce(%50 init: %51) applies stablehlo.add across dimensions = [1] : (tensor<2x2x6xf32>, tensor<f32>) -> tensor<2x6xf32>
    %53 = stablehlo.concatenate %49, %52, dim = 1 : (tensor<2x6xf32>, tensor<2x6xf32>) -> tensor<2x12xf32>
    %sums = stablehlo.reshape %53 : (tensor<2x12xf32>) -> tensor<24xf32>
    return %44, %sums : tensor<4x6xf32>, tensor<24xf32>
  }
}
module @target_6 {
  func.func public @main(
      %0: tensor<4x6xf32>,
      %target.projector.1.statistics: tensor<24xf32>,
      %projector.1.weight: tensor<6xf32>,
      %projector.1.bias: tensor<6xf32>,
      %projector.3.weight: tensor<4x6xf32>
  ) -> (
      tensor<4x4xf32>
  ) {
    // projector.1: normalise
    %1 = stablehlo.reshape %0 : (tensor<4x6xf32>) -> tensor<2x2x6xf32>
    %2 = stablehlo.reshape %target.projector.1.statistics : (tensor<24xf32>) -> tensor<2x12xf32>
    %3 = stablehlo.slice %2 [0:2, 0:6] : (tensor<2x12xf32>) -> tensor<2x6xf32>
    %4 = stablehlo.broadcast_in_dim %3, dims = [0, 2] : (tensor<2x6xf32>) -> tensor<2x2x6xf32>
    %5 = stablehlo.subtract %1, %4 : tensor<2x2x6xf32>
    %6 = stablehlo.reshape %target.projector.1.statistics : (tensor<24xf32>) -> tensor<2x12xf32>
    %7 = stablehlo.slice %6 [0:2, 6:12] : (tensor<2x12xf32>) -> tensor<2x6xf32>
    %8 = stablehlo.broadcast_in_dim %7, dims = [0, 2] : (tensor<2x6xf32>) -> tensor<2x2x6xf32>
    %9 = stablehlo.multiply %5, %8 : tensor<2x2x6xf32>
    %10 = stablehlo.broadcast_in_dim %projector.1.weight, dims = [2] : (tensor<6xf32>) -> tensor<2x2x6xf32>
    %11 = stablehlo.multiply %9, %10 : tensor<2x2x6xf32>
    %12 = stablehlo.broadcast_in_dim %projector.1.bias, dims = [2] : (tensor<6xf32>) -> tensor<2x2x6xf32>
    %13 = stablehlo.add %11, %12 : tensor<2x2x6xf32>
    %14 = stablehlo.reshape %13 : (tensor<2x2x6xf32>) -> tensor<4x6xf32>
    %15 = stablehlo.constant dense<0.0e+00> : tensor<4x6xf32>
    %16 = stablehlo.maximum %14, %15 : tensor<4x6xf32>
    // projector.3: 6 to 4
    %target.projection = stablehlo.dot_general %16, %projector.3.weight, contracting_dims = [1] x [1], precision = [HIGHEST, HIGHEST] : (tensor<4x6xf32>, tensor<4x6xf32>) -> tensor<4x4xf32>
    return %target.projection : tensor<4x4xf32>
  }
}
module @losses {
  func.func public @main(
      %target.projection: tensor<4x4xf32>,
      %prediction: tensor<4x4xf32>,
      %scale: tensor<f32>,
      %projection: tensor<4x4xf32>
  ) -> (
      tensor<4x4xf32>,
      tensor<20xf32>
  ) {
    // ‖p̂−ẑ‖² of each view's prediction and the other's target
    %0 = stablehlo.slice %target.projection [2:4, 0:4] : (tensor<4x4xf32>) -> tensor<2x4xf32>
    %1 = stablehlo.slice %target.projection [0:2, 0:4] : (tensor<4x4xf32>) -> tensor<2x4xf32>
    %2 = stablehlo.concatenate %0, %1, dim = 0 : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<4x4xf32>
    %3 = stablehlo.multiply %prediction, %prediction : tensor<4x4xf32>
    %4 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %5 = stablehlo.reduce(%3 init: %4) applies stablehlo.add across dimensions = [1] : (tensor<4x4xf32>, tensor<f32>) -> tensor<4xf32>
    %6 = stablehlo.constant dense<1.0e-12> : tensor<4xf32>
    %7 = stablehlo.maximum %5, %6 : tensor<4xf32>
    %8 = stablehlo.rsqrt %7 : tensor<4xf32>
    %9 = stablehlo.broadcast_in_dim %8, dims = [0] : (tensor<4xf32>) -> tensor<4x4xf32>
    %10 = stablehlo.multiply %prediction, %9 : tensor<4x4xf32>
    %11 = stablehlo.constant dense<1.0e-12> : tensor<4xf32>
    %12 = stablehlo.compare LT, %5, %11, FLOAT : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xi1>
    %13 = stablehlo.not %12 : tensor<4xi1>
    %14 = stablehlo.multiply %2, %2 : tensor<4x4xf32>
    %15 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %16 = stablehlo.reduce(%14 init: %15) applies stablehlo.add across dimensions = [1] : (tensor<4x4xf32>, tensor<f32>) -> tensor<4xf32>
    %17 = stablehlo.constant dense<1.0e-12> : tensor<4xf32>
    %18 = stablehlo.maximum %16, %17 : tensor<4xf32>
    %19 = stablehlo.rsqrt %18 : tensor<4xf32>
    %20 = stablehlo.broadcast_in_dim %19, dims = [0] : (tensor<4xf32>) -> tensor<4x4xf32>
    %21 = stablehlo.multiply %2, %20 : tensor<4x4xf32>
    %22 = stablehlo.constant dense<1.0e-12> : tensor<4xf32>
    %23 = stablehlo.compare LT, %16, %22, FLOAT : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xi1>
    %24 = stablehlo.not %23 : tensor<4xi1>
    %25 = stablehlo.subtract %10, %21 : tensor<4x4xf32>
    %26 = stablehlo.multiply %10, %25 : tensor<4x4xf32>
    %27 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %28 = stablehlo.reduce(%26 init: %27) applies stablehlo.add across dimensions = [1] : (tensor<4x4xf32>, tensor<f32>) -> tensor<4xf32>
    %29 = stablehlo.constant dense<0.0e+00> : tensor<4xf32>
    %30 = stablehlo.select %13, %28, %29 : (tensor<4xi1>, tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    %31 = stablehlo.constant dense<2.0e+00> : tensor<4xf32>
    %32 = stablehlo.multiply %8, %31 : tensor<4xf32>
    %33 = stablehlo.broadcast_in_dim %scale, dims = [] : (tensor<f32>) -> tensor<4xf32>
    %34 = stablehlo.multiply %32, %33 : tensor<4xf32>
    %35 = stablehlo.broadcast_in_dim %30, dims = [0] : (tensor<4xf32>) -> tensor<4x4xf32>
    %36 = stablehlo.multiply %10, %35 : tensor<4x4xf32>
    %37 = stablehlo.subtract %25, %36 : tensor<4x4xf32>
    %38 = stablehlo.broadcast_in_dim %34, dims = [0] : (tensor<4xf32>) -> tensor<4x4xf32>
    %dprediction = stablehlo.multiply %37, %38 : tensor<4x4xf32>
    %39 = stablehlo.multiply %25, %25 : tensor<4x4xf32>
    %40 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %41 = stablehlo.reduce(%39 init: %40) applies stablehlo.add across dimensions = [1] : (tensor<4x4xf32>, tensor<f32>) -> tensor<4xf32>
    // sums of the projections of unit length, and of their squares
    %42 = stablehlo.multiply %projection, %projection : tensor<4x4xf32>
    %43 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %44 = stablehlo.reduce(%42 init: %43) applies stablehlo.add across dimensions = [1] : (tensor<4x4xf32>, tensor<f32>) -> tensor<4xf32>
    %45 = stablehlo.constant dense<1.0e-12> : tensor<4xf32>
    %46 = stablehlo.maximum %44, %45 : tensor<4xf32>
    %47 = stablehlo.rsqrt %46 : tensor<4xf32>
    %48 = stablehlo.broadcast_in_dim %47, dims = [0] : (tensor<4xf32>) -> tensor<4x4xf32>
    %49 = stablehlo.multiply %projection, %48 : tensor<4x4xf32>
    %50 = stablehlo.constant dense<1.0e-12> : tensor<4xf32>
    %51 = stablehlo.compare LT, %44, %50, FLOAT : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xi1>
    %52 = stablehlo.not %51 : tensor<4xi1>
    %53 = stablehlo.reshape %49 : (tensor<4x4xf32>) -> tensor<2x2x4xf32>
    %54 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %55 = stablehlo.reduce(%53 init: %54) applies stablehlo.add across dimensions = [1] : (tensor<2x2x4xf32>, tensor<f32>) -> tensor<2x4xf32>
    %56 = stablehlo.multiply %53, %53 : tensor<2x2x4xf32>
    %57 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %58 = stablehlo.reduce(%56 init: %57) applies stablehlo.add across dimensions = [1] : (tensor<2x2x4xf32>, tensor<f32>) -> tensor<2x4xf32>
    %59 = stablehlo.concatenate %55, %58, dim = 1 : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x8xf32>
    %60 = stablehlo.reshape %59 : (tensor<2x8xf32>) -> tensor<16xf32>
    %report = stablehlo.concatenate %41, %60, dim = 0 : (tensor<4xf32>, tensor<16xf32>) -> tensor<20xf32>
    return %dprediction, %report : tensor<4x4xf32>, tensor<20xf32>
  }
}
module @backward_0 {
  func.func public @main(
      %dprediction: tensor<4x4xf32>,
      %predictor.3.weight: tensor<4x5xf32>,
      %predictor.0.y: tensor<4x5xf32>,
      %predictor.0.z: tensor<4x5xf32>,
      %online.predictor.1.statistics: tensor<20xf32>
  ) -> (
      tensor<4x5xf32>,
      tensor<20xf32>
  ) {
    // gradient of the input of predictor.3
    %0 = stablehlo.dot_general %dprediction, %predictor.3.weight, contracting_dims = [1] x [0], precision = [HIGHEST, HIGHEST] : (tensor<4x4xf32>, tensor<4x5xf32>) -> tensor<4x5xf32>
    %1 = stablehlo.constant dense<0.0e+00> : tensor<4x5xf32>
    %2 = stablehlo.compare GT, %predictor.0.y, %1, FLOAT : (tensor<4x5xf32>, tensor<4x5xf32>) -> tensor<4x5xi1>
    %3 = stablehlo.constant dense<0.0e+00> : tensor<4x5xf32>
    %4 = stablehlo.select %2, %0, %3 : (tensor<4x5xi1>, tensor<4x5xf32>, tensor<4x5xf32>) -> tensor<4x5xf32>
    // predictor.1: sums of the gradient, and of its product with x̂
    %5 = stablehlo.reshape %4 : (tensor<4x5xf32>) -> tensor<2x2x5xf32>
    %6 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %7 = stablehlo.reduce(%5 init: %6) applies stablehlo.add across dimensions = [1] : (tensor<2x2x5xf32>, tensor<f32>) -> tensor<2x5xf32>
    %8 = stablehlo.reshape %predictor.0.z : (tensor<4x5xf32>) -> tensor<2x2x5xf32>
    %9 = stablehlo.reshape %online.predictor.1.statistics : (tensor<20xf32>) -> tensor<2x10xf32>
    %10 = stablehlo.slice %9 [0:2, 0:5] : (tensor<2x10xf32>) -> tensor<2x5xf32>
    %11 = stablehlo.broadcast_in_dim %10, dims = [0, 2] : (tensor<2x5xf32>) -> tensor<2x2x5xf32>
    %12 = stablehlo.subtract %8, %11 : tensor<2x2x5xf32>
    %13 = stablehlo.reshape %online.predictor.1.statistics : (tensor<20xf32>) -> tensor<2x10xf32>
    %14 = stablehlo.slice %13 [0:2, 5:10] : (tensor<2x10xf32>) -> tensor<2x5xf32>
    %15 = stablehlo.broadcast_in_dim %14, dims = [0, 2] : (tensor<2x5xf32>) -> tensor<2x2x5xf32>
    %16 = stablehlo.multiply %12, %15 : tensor<2x2x5xf32>
    %17 = stablehlo.multiply %5, %16 : tensor<2x2x5xf32>
    %18 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %19 = stablehlo.reduce(%17 init: %18) applies stablehlo.add across dimensions = [1] : (tensor<2x2x5xf32>, tensor<f32>) -> tensor<2x5xf32>
    %20 = stablehlo.concatenate %7, %19, dim = 1 : (tensor<2x5xf32>, tensor<2x5xf32>) -> tensor<2x10xf32>
    %sums = stablehlo.reshape %20 : (tensor<2x10xf32>) -> tensor<20xf32>
    return %4, %sums : tensor<4x5xf32>, tensor<20xf32>
  }
}
module @weights_0 {
  func.func public @main(
      %dprediction: tensor<4x4xf32>,
      %predictor.0.y: tensor<4x5xf32>
  ) -> (
      tensor<4x5xf32>
  ) {
    // gradient of predictor.3.weight
    %d.predictor.3.weight = stablehlo.dot_general %dprediction, %predictor.0.y, contracting_dims = [0] x [0], precision = [HIGHEST, HIGHEST] : (tensor<4x4xf32>, tensor<4x5xf32>) -> tensor<4x5xf32>
    return %d.predictor.3.weight : tensor<4x5xf32>
  }
}
module @backward_1 {
  func.func public @main(
      %0: tensor<4x5xf32>,
      %predictor.0.z: tensor<4x5xf32>,
      %online.predictor.1.statistics: tensor<20xf32>,
      %predictor.1.means: tensor<20xf32>,
      %predictor.1.weight: tensor<5xf32>,
      %predictor.0.weight: tensor<5x4xf32>,
      %projector.3.weight: tensor<4x6xf32>,
      %projector.0.y: tensor<4x6xf32>,
      %projector.0.z: tensor<4x6xf32>,
      %online.projector.1.statistics: tensor<24xf32>
  ) -> (
      tensor<4x5xf32>,
      tensor<4x4xf32>,
      tensor<4x6xf32>,
      tensor<24xf32>
  ) {
    // predictor.1: gradient
    %1 = stablehlo.reshape %0 : (tensor<4x5xf32>) -> tensor<2x2x5xf32>
    %2 = stablehlo.reshape %predictor.0.z : (tensor<4x5xf32>) -> tensor<2x2x5xf32>
    %3 = stablehlo.reshape %online.predictor.1.statistics : (tensor<20xf32>) -> tensor<2x10xf32>
    %4 = stablehlo.slice %3 [0:2, 0:5] : (tensor<2x10xf32>) -> tensor<2x5xf32>
    %5 = stablehlo.broadcast_in_dim %4, dims = [0, 2] : (tensor<2x5xf32>) -> tensor<2x2x5xf32>
    %6 = stablehlo.subtract %2, %5 : tensor<2x2x5xf32>
    %7 = stablehlo.reshape %online.predictor.1.statistics : (tensor<20xf32>) -> tensor<2x10xf32>
    %8 = stablehlo.slice %7 [0:2, 5:10] : (tensor<2x10xf32>) -> tensor<2x5xf32>
    %9 = stablehlo.broadcast_in_dim %8, dims = [0, 2] : (tensor<2x5xf32>) -> tensor<2x2x5xf32>
    %10 = stablehlo.multiply %6, %9 : tensor<2x2x5xf32>
    %11 = stablehlo.reshape %predictor.1.means : (tensor<20xf32>) -> tensor<2x10xf32>
    %12 = stablehlo.slice %11 [0:2, 0:5] : (tensor<2x10xf32>) -> tensor<2x5xf32>
    %13 = stablehlo.broadcast_in_dim %12, dims = [0, 2] : (tensor<2x5xf32>) -> tensor<2x2x5xf32>
    %14 = stablehlo.subtract %1, %13 : tensor<2x2x5xf32>
    %15 = stablehlo.reshape %predictor.1.means : (tensor<20xf32>) -> tensor<2x10xf32>
    %16 = stablehlo.slice %15 [0:2, 5:10] : (tensor<2x10xf32>) -> tensor<2x5xf32>
    %17 = stablehlo.broadcast_in_dim %16, dims = [0, 2] : (tensor<2x5xf32>) -> tensor<2x2x5xf32>
    %18 = stablehlo.multiply %10, %17 : tensor<2x2x5xf32>
    %19 = stablehlo.subtract %14, %18 : tensor<2x2x5xf32>
    %20 = stablehlo.reshape %online.predictor.1.statistics : (tensor<20xf32>) -> tensor<2x10xf32>
    %21 = stablehlo.slice %20 [0:2, 5:10] : (tensor<2x10xf32>) -> tensor<2x5xf32>
    %22 = stablehlo.broadcast_in_dim %21, dims = [0, 2] : (tensor<2x5xf32>) -> tensor<2x2x5xf32>
    %23 = stablehlo.broadcast_in_dim %predictor.1.weight, dims = [2] : (tensor<5xf32>) -> tensor<2x2x5xf32>
    %24 = stablehlo.multiply %22, %23 : tensor<2x2x5xf32>
    %25 = stablehlo.multiply %19, %24 : tensor<2x2x5xf32>
    %d.predictor.0.z = stablehlo.reshape %25 : (tensor<2x2x5xf32>) -> tensor<4x5xf32>
    // gradient of the input of predictor.0
    %26 = stablehlo.dot_general %d.predictor.0.z, %predictor.0.weight, contracting_dims = [1] x [0], precision = [HIGHEST, HIGHEST] : (tensor<4x5xf32>, tensor<5x4xf32>) -> tensor<4x4xf32>
    // gradient of the input of projector.3
    %27 = stablehlo.dot_general %26, %projector.3.weight, contracting_dims = [1] x [0], precision = [HIGHEST, HIGHEST] : (tensor<4x4xf32>, tensor<4x6xf32>) -> tensor<4x6xf32>
    %28 = stablehlo.constant dense<0.0e+00> : tensor<4x6xf32>
    %29 = stablehlo.compare GT, %projector.0.y, %28, FLOAT : (tensor<4x6xf32>, tensor<4x6xf32>) -> tensor<4x6xi1>
    %30 = stablehlo.constant dense<0.0e+00> : tensor<4x6xf32>
    %31 = stablehlo.select %29, %27, %30 : (tensor<4x6xi1>, tensor<4x6xf32>, tensor<4x6xf32>) -> tensor<4x6xf32>
    // projector.1: sums of the gradient, and of its product with x̂
    %32 = stablehlo.reshape %31 : (tensor<4x6xf32>) -> tensor<2x2x6xf32>
    %33 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %34 = stablehlo.reduce(%32 init: %33) applies stablehlo.add across dimensions = [1] : (tensor<2x2x6xf32>, tensor<f32>) -> tensor<2x6xf32>
    %35 = stablehlo.reshape %projector.0.z : (tensor<4x6xf32>) -> tensor<2x2x6xf32>
    %36 = stablehlo.reshape %online.projector.1.statistics : (tensor<24xf32>) -> tensor<2x12xf32>
    %37 = stablehlo.slice %36 [0:2, 0:6] : (tensor<2x12xf32>) -> tensor<2x6xf32>
    %38 = stablehlo.broadcast_in_dim %37, dims = [0, 2] : (tensor<2x6xf32>) -> tensor<2x2x6xf32>
    %39 = stablehlo.subtract %35, %38 : tensor<2x2x6xf32>
    %40 = stablehlo.reshape %online.projector.1.statistics : (tensor<24xf32>) -> tensor<2x12xf32>
    %41 = stablehlo.slice %40 [0:2, 6:12] : (tensor<2x12xf32>) -> tensor<2x6xf32>
    %42 = stablehlo.broadcast_in_dim %41, dims = [0, 2] : (tensor<2x6xf32>) -> tensor<2x2x6xf32>
    %43 = stablehlo.multiply %39, %42 : tensor<2x2x6xf32>
    %44 = stablehlo.multiply %32, %43 : tensor<2x2x6xf32>
    %45 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %46 = stablehlo.reduce(%44 init: %45) applies stablehlo.add across dimensions = [1] : (tensor<2x2x6xf32>, tensor<f32>) -> tensor<2x6xf32>
    %47 = stablehlo.concatenate %34, %46, dim = 1 : (tensor<2x6xf32>, tensor<2x6xf32>) -> tensor<2x12xf32>
    %sums = stablehlo.reshape %47 : (tensor<2x12xf32>) -> tensor<24xf32>
    return %d.predictor.0.z, %26, %31, %sums : tensor<4x5xf32>, tensor<4x4xf32>, tensor<4x6xf32>, tensor<24xf32>
  }
}
module @weights_1 {
  func.func public @main(
      %d.predictor.0.z: tensor<4x5xf32>,
      %projection: tensor<4x4xf32>,
      %0: tensor<4x4xf32>,
      %projector.0.y: tensor<4x6xf32>
  ) -> (
      tensor<5x4xf32>,
      tensor<5xf32>,
      tensor<4x6xf32>
  ) {
    // gradient of predictor.0.weight
    %d.predictor.0.weight = stablehlo.dot_general %d.predictor.0.z, %projection, contracting_dims = [0] x [0], precision = [HIGHEST, HIGHEST] : (tensor<4x5xf32>, tensor<4x4xf32>) -> tensor<5x4xf32>
    %1 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %d.predictor.0.bias = stablehlo.reduce(%d.predictor.0.z init: %1) applies stablehlo.add across dimensions = [0] : (tensor<4x5xf32>, tensor<f32>) -> tensor<5xf32>
    // gradient of projector.3.weight
    %d.projector.3.weight = stablehlo.dot_general %0, %projector.0.y, contracting_dims = [0] x [0], precision = [HIGHEST, HIGHEST] : (tensor<4x4xf32>, tensor<4x6xf32>) -> tensor<4x6xf32>
    return %d.predictor.0.weight, %d.predictor.0.bias, %d.projector.3.weight : tensor<5x4xf32>, tensor<5xf32>, tensor<4x6xf32>
  }
}
module @backward_2 {
  func.func public @main(
      %0: tensor<4x6xf32>,
      %projector.0.z: tensor<4x6xf32>,
      %online.projector.1.statistics: tensor<24xf32>,
      %projector.1.means: tensor<24xf32>,
      %projector.1.weight: tensor<6xf32>,
      %projector.0.weight: tensor<6x4xf32>,
      %encoder.layer2.0.conv2.y: tensor<4x4x4x4xf32>,
      %encoder.layer2.0.conv2.z: tensor<4x4x4x4xf32>,
      %online.encoder.layer2.0.bn2.statistics: tensor<32xf32>,
      %encoder.layer2.0.downsample.0.z: tensor<4x4x4x4xf32>
  ) -> (
      tensor<4x6xf32>,
      tensor<4x4x4x4xf32>,
      tensor<32xf32>
  ) {
    // projector.1: gradient
    %1 = stablehlo.reshape %0 : (tensor<4x6xf32>) -> tensor<2x2x6xf32>
    %2 = stablehlo.reshape %projector.0.z : (tensor<4x6xf32>) -> tensor<2x2x6xf32>
    %3 = stablehlo.reshape %online.projector.1.statistics : (tensor<24xf32>) -> tensor<2x12xf32>
    %4 = stablehlo.slice %3 [0:2, 0:6] : (tensor<2x12xf32>) -> tensor<2x6xf32>
    %5 = stablehlo.broadcast_in_dim %4, dims = [0, 2] : (tensor<2x6xf32>) -> tensor<2x2x6xf32>
    %6 = stablehlo.subtract %2, %5 : tensor<2x2x6xf32>
    %7 = stablehlo.reshape %online.projector.1.statistics : (tensor<24xf32>) -> tensor<2x12xf32>
    %8 = stablehlo.slice %7 [0:2, 6:12] : (tensor<2x12xf32>) -> tensor<2x6xf32>
    %9 = stablehlo.broadcast_in_dim %8, dims = [0, 2] : (tensor<2x6xf32>) -> tensor<2x2x6xf32>
    %10 = stablehlo.multiply %6, %9 : tensor<2x2x6xf32>
    %11 = stablehlo.reshape %projector.1.means : (tensor<24xf32>) -> tensor<2x12xf32>
    %12 = stablehlo.slice %11 [0:2, 0:6] : (tensor<2x12xf32>) -> tensor<2x6xf32>
    %13 = stablehlo.broadcast_in_dim %12, dims = [0, 2] : (tensor<2x6xf32>) -> tensor<2x2x6xf32>
    %14 = stablehlo.subtract %1, %13 : tensor<2x2x6xf32>
    %15 = stablehlo.reshape %projector.1.means : (tensor<24xf32>) -> tensor<2x12xf32>
    %16 = stablehlo.slice %15 [0:2, 6:12] : (tensor<2x12xf32>) -> tensor<2x6xf32>
    %17 = stablehlo.broadcast_in_dim %16, dims = [0, 2] : (tensor<2x6xf32>) -> tensor<2x2x6xf32>
    %18 = stablehlo.multiply %10, %17 : tensor<2x2x6xf32>
    %19 = stablehlo.subtract %14, %18 : tensor<2x2x6xf32>
    %20 = stablehlo.reshape %online.projector.1.statistics : (tensor<24xf32>) -> tensor<2x12xf32>
    %21 = stablehlo.slice %20 [0:2, 6:12] : (tensor<2x12xf32>) -> tensor<2x6xf32>
    %22 = stablehlo.broadcast_in_dim %21, dims = [0, 2] : (tensor<2x6xf32>) -> tensor<2x2x6xf32>
    %23 = stablehlo.broadcast_in_dim %projector.1.weight, dims = [2] : (tensor<6xf32>) -> tensor<2x2x6xf32>
    %24 = stablehlo.multiply %22, %23 : tensor<2x2x6xf32>
    %25 = stablehlo.multiply %19, %24 : tensor<2x2x6xf32>
    %d.projector.0.z = stablehlo.reshape %25 : (tensor<2x2x6xf32>) -> tensor<4x6xf32>
    // gradient of the input of projector.0
    %26 = stablehlo.dot_general %d.projector.0.z, %projector.0.weight, contracting_dims = [1] x [0], precision = [HIGHEST, HIGHEST] : (tensor<4x6xf32>, tensor<6x4xf32>) -> tensor<4x4xf32>
    // gradient of the mean over positions
    %27 = stablehlo.constant dense<6.25e-02> : tensor<4x4xf32>
    %28 = stablehlo.multiply %26, %27 : tensor<4x4xf32>
    %29 = stablehlo.broadcast_in_dim %28, dims = [0, 2] : (tensor<4x4xf32>) -> tensor<4x16x4xf32>
    %30 = stablehlo.reshape %29 : (tensor<4x16x4xf32>) -> tensor<4x4x4x4xf32>
    // ReLU of the block that ends with encoder.layer2.0.conv2
    %31 = stablehlo.constant dense<0.0e+00> : tensor<4x4x4x4xf32>
    %32 = stablehlo.compare GT, %encoder.layer2.0.conv2.y, %31, FLOAT : (tensor<4x4x4x4xf32>, tensor<4x4x4x4xf32>) -> tensor<4x4x4x4xi1>
    %33 = stablehlo.constant dense<0.0e+00> : tensor<4x4x4x4xf32>
    %34 = stablehlo.select %32, %30, %33 : (tensor<4x4x4x4xi1>, tensor<4x4x4x4xf32>, tensor<4x4x4x4xf32>) -> tensor<4x4x4x4xf32>
    // encoder.layer2.0.bn2: sums of the gradient, and of its product with x̂
    %35 = stablehlo.reshape %34 : (tensor<4x4x4x4xf32>) -> tensor<2x32x4xf32>
    %36 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %37 = stablehlo.reduce(%35 init: %36) applies stablehlo.add across dimensions = [1] : (tensor<2x32x4xf32>, tensor<f32>) -> tensor<2x4xf32>
    %38 = stablehlo.reshape %encoder.layer2.0.conv2.z : (tensor<4x4x4x4xf32>) -> tensor<2x32x4xf32>
    %39 = stablehlo.slice %online.encoder.layer2.0.bn2.statistics [0:16] : (tensor<32xf32>) -> tensor<16xf32>
    %40 = stablehlo.reshape %39 : (tensor<16xf32>) -> tensor<2x8xf32>
    %41 = stablehlo.slice %40 [0:2, 0:4] : (tensor<2x8xf32>) -> tensor<2x4xf32>
    %42 = stablehlo.broadcast_in_dim %41, dims = [0, 2] : (tensor<2x4xf32>) -> tensor<2x32x4xf32>
    %43 = stablehlo.subtract %38, %42 : tensor<2x32x4xf32>
    %44 = stablehlo.slice %online.encoder.layer2.0.bn2.statistics [0:16] : (tensor<32xf32>) -> tensor<16xf32>
    %45 = stablehlo.reshape %44 : (tensor<16xf32>) -> tensor<2x8xf32>
    %46 = stablehlo.slice %45 [0:2, 4:8] : (tensor<2x8xf32>) -> tensor<2x4xf32>
    %47 = stablehlo.broadcast_in_dim %46, dims = [0, 2] : (tensor<2x4xf32>) -> tensor<2x32x4xf32>
    %48 = stablehlo.multiply %43, %47 : tensor<2x32x4xf32>
    %49 = stablehlo.multiply %35, %48 : tensor<2x32x4xf32>
    %50 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %51 = stablehlo.reduce(%49 init: %50) applies stablehlo.add across dimensions = [1] : (tensor<2x32x4xf32>, tensor<f32>) -> tensor<2x4xf32>
    %52 = stablehlo.concatenate %37, %51, dim = 1 : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x8xf32>
    %53 = stablehlo.reshape %52 : (tensor<2x8xf32>) -> tensor<16xf32>
    // encoder.layer2.0.downsample.1: sums of the gradient, and of its product with x̂
    %54 = stablehlo.reshape %34 : (tensor<4x4x4x4xf32>) -> tensor<2x32x4xf32>
    %55 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %56 = stablehlo.reduce(%54 init: %55) applies stablehlo.add across dimensions = [1] : (tensor<2x32x4xf32>, tensor<f32>) -> tensor<2x4xf32>
    %57 = stablehlo.reshape %encoder.layer2.0.downsample.0.z : (tensor<4x4x4x4xf32>) -> tensor<2x32x4xf32>
    %58 = stablehlo.slice %online.encoder.layer2.0.bn2.statistics [16:32] : (tensor<32xf32>) -> tensor<16xf32>
    %59 = stablehlo.reshape %58 : (tensor<16xf32>) -> tensor<2x8xf32>
    %60 = stablehlo.slice %59 [0:2, 0:4] : (tensor<2x8xf32>) -> tensor<2x4xf32>
    %61 = stablehlo.broadcast_in_dim %60, dims = [0, 2] : (tensor<2x4xf32>) -> tensor<2x32x4xf32>
    %62 = stablehlo.subtract %57, %61 : tensor<2x32x4xf32>
    %63 = stablehlo.slice %online.encoder.layer2.0.bn2.statistics [16:32] : (tensor<32xf32>) -> tensor<16xf32>
    %64 = stablehlo.reshape %63 : (tensor<16xf32>) -> tensor<2x8xf32>
    %65 = stablehlo.slice %64 [0:2, 4:8] : (tensor<2x8xf32>) -> tensor<2x4xf32>
    %66 = stablehlo.broadcast_in_dim %65, dims = [0, 2] : (tensor<2x4xf32>) -> tensor<2x32x4xf32>
    %67 = stablehlo.multiply %62, %66 : tensor<2x32x4xf32>
    %68 = stablehlo.multiply %54, %67 : tensor<2x32x4xf32>
    %69 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %70 = stablehlo.reduce(%68 init: %69) applies stablehlo.add across dimensions = [1] : (tensor<2x32x4xf32>, tensor<f32>) -> tensor<2x4xf32>
    %71 = stablehlo.concatenate %56, %70, dim = 1 : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x8xf32>
    %72 = stablehlo.reshape %71 : (tensor<2x8xf32>) -> tensor<16xf32>
    %sums = stablehlo.concatenate %53, %72, dim = 0 : (tensor<16xf32>, tensor<16xf32>) -> tensor<32xf32>
    return %d.projector.0.z, %34, %sums : tensor<4x6xf32>, tensor<4x4x4x4xf32>, tensor<32xf32>
  }
}
module @weights_2 {
  func.func public @main(
      %d.projector.0.z: tensor<4x6xf32>,
      %embedding: tensor<4x4xf32>
  ) -> (
      tensor<6x4xf32>,
      tensor<6xf32>
  ) {
    // gradient of projector.0.weight
    %d.projector.0.weight = stablehlo.dot_general %d.projector.0.z, %embedding, contracting_dims = [0] x [0], precision = [HIGHEST, HIGHEST] : (tensor<4x6xf32>, tensor<4x4xf32>) -> tensor<6x4xf32>
    %0 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %d.projector.0.bias = stablehlo.reduce(%d.projector.0.z init: %0) applies stablehlo.add across dimensions = [0] : (tensor<4x6xf32>, tensor<f32>) -> tensor<6xf32>
    return %d.projector.0.weight, %d.projector.0.bias : tensor<6x4xf32>, tensor<6xf32>
  }
}
module @backward_3 {
  func.func public @main(
      %0: tensor<4x4x4x4xf32>,
      %encoder.layer2.0.conv2.z: tensor<4x4x4x4xf32>,
      %online.encoder.layer2.0.bn2.statistics: tensor<32xf32>,
      %encoder.layer2.0.bn2.means: tensor<32xf32>,
      %encoder.layer2.0.bn2.weight: tensor<4xf32>,
      %encoder.layer2.0.downsample.0.z: tensor<4x4x4x4xf32>,
      %encoder.layer2.0.downsample.1.weight: tensor<4xf32>,
      %encoder.layer2.0.conv2.weight: tensor<4x3x3x4xf32>,
      %encoder.layer2.0.conv1.y: tensor<4x4x4x4xf32>,
      %encoder.layer2.0.conv1.z: tensor<4x4x4x4xf32>,
      %online.encoder.layer2.0.bn1.statistics: tensor<16xf32>
  ) -> (
      tensor<4x4x4x4xf32>,
      tensor<4x4x4x4xf32>,
      tensor<4x4x4x4xf32>,
      tensor<16xf32>
  ) {
    // encoder.layer2.0.bn2: gradient
    %1 = stablehlo.reshape %0 : (tensor<4x4x4x4xf32>) -> tensor<2x32x4xf32>
    %2 = stablehlo.reshape %encoder.layer2.0.conv2.z : (tensor<4x4x4x4xf32>) -> tensor<2x32x4xf32>
    %3 = stablehlo.slice %online.encoder.layer2.0.bn2.statistics [0:16] : (tensor<32xf32>) -> tensor<16xf32>
    %4 = stablehlo.reshape %3 : (tensor<16xf32>) -> tensor<2x8xf32>
    %5 = stablehlo.slice %4 [0:2, 0:4] : (tensor<2x8xf32>) -> tensor<2x4xf32>
    %6 = stablehlo.broadcast_in_dim %5, dims = [0, 2] : (tensor<2x4xf32>) -> tensor<2x32x4xf32>
    %7 = stablehlo.subtract %2, %6 : tensor<2x32x4xf32>
    %8 = stablehlo.slice %online.encoder.layer2.0.bn2.statistics [0:16] : (tensor<32xf32>) -> tensor<16xf32>
    %9 = stablehlo.reshape %8 : (tensor<16xf32>) -> tensor<2x8xf32>
    %10 = stablehlo.slice %9 [0:2, 4:8] : (tensor<2x8xf32>) -> tensor<2x4xf32>
    %11 = stablehlo.broadcast_in_dim %10, dims = [0, 2] : (tensor<2x4xf32>) -> tensor<2x32x4xf32>
    %12 = stablehlo.multiply %7, %11 : tensor<2x32x4xf32>
    %13 = stablehlo.slice %encoder.layer2.0.bn2.means [0:16] : (tensor<32xf32>) -> tensor<16xf32>
    %14 = stablehlo.reshape %13 : (tensor<16xf32>) -> tensor<2x8xf32>
    %15 = stablehlo.slice %14 [0:2, 0:4] : (tensor<2x8xf32>) -> tensor<2x4xf32>
    %16 = stablehlo.broadcast_in_dim %15, dims = [0, 2] : (tensor<2x4xf32>) -> tensor<2x32x4xf32>
    %17 = stablehlo.subtract %1, %16 : tensor<2x32x4xf32>
    %18 = stablehlo.slice %encoder.layer2.0.bn2.means [0:16] : (tensor<32xf32>) -> tensor<16xf32>
    %19 = stablehlo.reshape %18 : (tensor<16xf32>) -> tensor<2x8xf32>
    %20 = stablehlo.slice %19 [0:2, 4:8] : (tensor<2x8xf32>) -> tensor<2x4xf32>
    %21 = stablehlo.broadcast_in_dim %20, dims = [0, 2] : (tensor<2x4xf32>) -> tensor<2x32x4xf32>
    %22 = stablehlo.multiply %12, %21 : tensor<2x32x4xf32>
    %23 = stablehlo.subtract %17, %22 : tensor<2x32x4xf32>
    %24 = stablehlo.slice %online.encoder.layer2.0.bn2.statistics [0:16] : (tensor<32xf32>) -> tensor<16xf32>
    %25 = stablehlo.reshape %24 : (tensor<16xf32>) -> tensor<2x8xf32>
    %26 = stablehlo.slice %25 [0:2, 4:8] : (tensor<2x8xf32>) -> tensor<2x4xf32>
    %27 = stablehlo.broadcast_in_dim %26, dims = [0, 2] : (tensor<2x4xf32>) -> tensor<2x32x4xf32>
    %28 = stablehlo.broadcast_in_dim %encoder.layer2.0.bn2.weight, dims = [2] : (tensor<4xf32>) -> tensor<2x32x4xf32>
    %29 = stablehlo.multiply %27, %28 : tensor<2x32x4xf32>
    %30 = stablehlo.multiply %23, %29 : tensor<2x32x4xf32>
    %d.encoder.layer2.0.conv2.z = stablehlo.reshape %30 : (tensor<2x32x4xf32>) -> tensor<4x4x4x4xf32>
    // encoder.layer2.0.downsample.1: gradient
    %31 = stablehlo.reshape %0 : (tensor<4x4x4x4xf32>) -> tensor<2x32x4xf32>
    %32 = stablehlo.reshape %encoder.layer2.0.downsample.0.z : (tensor<4x4x4x4xf32>) -> tensor<2x32x4xf32>
    %33 = stablehlo.slice %online.encoder.layer2.0.bn2.statistics [16:32] : (tensor<32xf32>) -> tensor<16xf32>
    %34 = stablehlo.reshape %33 : (tensor<16xf32>) -> tensor<2x8xf32>
    %35 = stablehlo.slice %34 [0:2, 0:4] : (tensor<2x8xf32>) -> tensor<2x4xf32>
    %36 = stablehlo.broadcast_in_dim %35, dims = [0, 2] : (tensor<2x4xf32>) -> tensor<2x32x4xf32>
    %37 = stablehlo.subtract %32, %36 : tensor<2x32x4xf32>
    %38 = stablehlo.slice %online.encoder.layer2.0.bn2.statistics [16:32] : (tensor<32xf32>) -> tensor<16xf32>
    %39 = stablehlo.reshape %38 : (tensor<16xf32>) -> tensor<2x8xf32>
    %40 = stablehlo.slice %39 [0:2, 4:8] : (tensor<2x8xf32>) -> tensor<2x4xf32>
    %41 = stablehlo.broadcast_in_dim %40, dims = [0, 2] : (tensor<2x4xf32>) -> tensor<2x32x4xf32>
    %42 = stablehlo.multiply %37, %41 : tensor<2x32x4xf32>
    %43 = stablehlo.slice %encoder.layer2.0.bn2.means [16:32] : (tensor<32xf32>) -> tensor<16xf32>
    %44 = stablehlo.reshape %43 : (tensor<16xf32>) -> tensor<2x8xf32>
    %45 = stablehlo.slice %44 [0:2, 0:4] : (tensor<2x8xf32>) -> tensor<2x4xf32>
    %46 = stablehlo.broadcast_in_dim %45, dims = [0, 2] : (tensor<2x4xf32>) -> tensor<2x32x4xf32>
    %47 = stablehlo.subtract %31, %46 : tensor<2x32x4xf32>
    %48 = stablehlo.slice %encoder.layer2.0.bn2.means [16:32] : (tensor<32xf32>) -> tensor<16xf32>
    %49 = stablehlo.reshape %48 : (tensor<16xf32>) -> tensor<2x8xf32>
    %50 = stablehlo.slice %49 [0:2, 4:8] : (tensor<2x8xf32>) -> tensor<2x4xf32>
    %51 = stablehlo.broadcast_in_dim %50, dims = [0, 2] : (tensor<2x4xf32>) -> tensor<2x32x4xf32>
    %52 = stablehlo.multiply %42, %51 : tensor<2x32x4xf32>
    %53 = stablehlo.subtract %47, %52 : tensor<2x32x4xf32>
    %54 = stablehlo.slice %online.encoder.layer2.0.bn2.statistics [16:32] : (tensor<32xf32>) -> tensor<16xf32>
    %55 = stablehlo.reshape %54 : (tensor<16xf32>) -> tensor<2x8xf32>
    %56 = stablehlo.slice %55 [0:2, 4:8] : (tensor<2x8xf32>) -> tensor<2x4xf32>
    %57 = stablehlo.broadcast_in_dim %56, dims = [0, 2] : (tensor<2x4xf32>) -> tensor<2x32x4xf32>
    %58 = stablehlo.broadcast_in_dim %encoder.layer2.0.downsample.1.weight, dims = [2] : (tensor<4xf32>) -> tensor<2x32x4xf32>
    %59 = stablehlo.multiply %57, %58 : tensor<2x32x4xf32>
    %60 = stablehlo.multiply %53, %59 : tensor<2x32x4xf32>
    %d.encoder.layer2.0.downsample.0.z = stablehlo.reshape %60 : (tensor<2x32x4xf32>) -> tensor<4x4x4x4xf32>
    // gradient of the input of encoder.layer2.0.conv2
    %61 = stablehlo.reverse %encoder.layer2.0.conv2.weight, dims = [1, 2] : (tensor<4x3x3x4xf32>) -> tensor<4x3x3x4xf32>
    %62 = stablehlo.convolution(%d.encoder.layer2.0.conv2.z, %61) dim_numbers = [b, 0, 1, f]x[i, 0, 1, o]->[b, 0, 1, f], window = {stride = [1, 1], pad = [[1, 1], [1, 1]], lhs_dilate = [1, 1], rhs_dilate = [1, 1]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64, precision_config = [#stablehlo<precision HIGHEST>, #stablehlo<precision HIGHEST>]} : (tensor<4x4x4x4xf32>, tensor<4x3x3x4xf32>) -> tensor<4x4x4x4xf32>
    %63 = stablehlo.constant dense<0.0e+00> : tensor<4x4x4x4xf32>
    %64 = stablehlo.compare GT, %encoder.layer2.0.conv1.y, %63, FLOAT : (tensor<4x4x4x4xf32>, tensor<4x4x4x4xf32>) -> tensor<4x4x4x4xi1>
    %65 = stablehlo.constant dense<0.0e+00> : tensor<4x4x4x4xf32>
    %66 = stablehlo.select %64, %62, %65 : (tensor<4x4x4x4xi1>, tensor<4x4x4x4xf32>, tensor<4x4x4x4xf32>) -> tensor<4x4x4x4xf32>
    // encoder.layer2.0.bn1: sums of the gradient, and of its product with x̂
    %67 = stablehlo.reshape %66 : (tensor<4x4x4x4xf32>) -> tensor<2x32x4xf32>
    %68 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %69 = stablehlo.reduce(%67 init: %68) applies stablehlo.add across dimensions = [1] : (tensor<2x32x4xf32>, tensor<f32>) -> tensor<2x4xf32>
    %70 = stablehlo.reshape %encoder.layer2.0.conv1.z : (tensor<4x4x4x4xf32>) -> tensor<2x32x4xf32>
    %71 = stablehlo.reshape %online.encoder.layer2.0.bn1.statistics : (tensor<16xf32>) -> tensor<2x8xf32>
    %72 = stablehlo.slice %71 [0:2, 0:4] : (tensor<2x8xf32>) -> tensor<2x4xf32>
    %73 = stablehlo.broadcast_in_dim %72, dims = [0, 2] : (tensor<2x4xf32>) -> tensor<2x32x4xf32>
    %74 = stablehlo.subtract %70, %73 : tensor<2x32x4xf32>
    %75 = stablehlo.reshape %online.encoder.layer2.0.bn1.statistics : (tensor<16xf32>) -> tensor<2x8xf32>
    %76 = stablehlo.slice %75 [0:2, 4:8] : (tensor<2x8xf32>) -> tensor<2x4xf32>
    %77 = stablehlo.broadcast_in_dim %76, dims = [0, 2] : (tensor<2x4xf32>) -> tensor<2x32x4xf32>
    %78 = stablehlo.multiply %74, %77 : tensor<2x32x4xf32>
    %79 = stablehlo.multiply %67, %78 : tensor<2x32x4xf32>
    %80 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %81 = stablehlo.reduce(%79 init: %80) applies stablehlo.add across dimensions = [1] : (tensor<2x32x4xf32>, tensor<f32>) -> tensor<2x4xf32>
    %82 = stablehlo.concatenate %69, %81, dim = 1 : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x8xf32>
    %sums = stablehlo.reshape %82 : (tensor<2x8xf32>) -> tensor<16xf32>
    return %d.encoder.layer2.0.conv2.z, %d.encoder.layer2.0.downsample.0.z, %66, %sums : tensor<4x4x4x4xf32>, tensor<4x4x4x4xf32>, tensor<4x4x4x4xf32>, tensor<16xf32>
  }
}
module @weights_3 {
  func.func public @main(
      %encoder.layer2.0.conv1.y: tensor<4x4x4x4xf32>,
      %d.encoder.layer2.0.conv2.z: tensor<4x4x4x4xf32>
  ) -> (
      tensor<4x3x3x4xf32>
  ) {
    // gradient of encoder.layer2.0.conv2.weight
    %d.encoder.layer2.0.conv2.weight = stablehlo.convolution(%encoder.layer2.0.conv1.y, %d.encoder.layer2.0.conv2.z) dim_numbers = [f, 0, 1, b]x[i, 0, 1, o]->[f, 0, 1, b], window = {stride = [1, 1], pad = [[1, 1], [1, 1]], lhs_dilate = [1, 1], rhs_dilate = [1, 1]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64, precision_config = [#stablehlo<precision HIGHEST>, #stablehlo<precision HIGHEST>]} : (tensor<4x4x4x4xf32>, tensor<4x4x4x4xf32>) -> tensor<4x3x3x4xf32>
    return %d.encoder.layer2.0.conv2.weight : tensor<4x3x3x4xf32>
  }
}
module @backward_4 {
  func.func public @main(
      %0: tensor<4x4x4x4xf32>,
      %encoder.layer2.0.conv1.z: tensor<4x4x4x4xf32>,
      %online.encoder.layer2.0.bn1.statistics: tensor<16xf32>,
      %encoder.layer2.0.bn1.means: tensor<16xf32>,
      %encoder.layer2.0.bn1.weight: tensor<4xf32>,
      %encoder.layer2.0.conv1.weight: tensor<4x3x3x2xf32>,
      %d.encoder.layer2.0.downsample.0.z: tensor<4x4x4x4xf32>,
      %encoder.layer2.0.downsample.0.weight: tensor<4x1x1x2xf32>,
      %encoder.layer1.0.conv2.y: tensor<4x8x8x2xf32>,
      %encoder.layer1.0.conv2.z: tensor<4x8x8x2xf32>,
      %online.encoder.layer1.0.bn2.statistics: tensor<8xf32>
  ) -> (
      tensor<4x4x4x4xf32>,
      tensor<4x8x8x2xf32>,
      tensor<8xf32>
  ) {
    // encoder.layer2.0.bn1: gradient
    %1 = stablehlo.reshape %0 : (tensor<4x4x4x4xf32>) -> tensor<2x32x4xf32>
    %2 = stablehlo.reshape %encoder.layer2.0.conv1.z : (tensor<4x4x4x4xf32>) -> tensor<2x32x4xf32>
    %3 = stablehlo.reshape %online.encoder.layer2.0.bn1.statistics : (tensor<16xf32>) -> tensor<2x8xf32>
    %4 = stablehlo.slice %3 [0:2, 0:4] : (tensor<2x8xf32>) -> tensor<2x4xf32>
    %5 = stablehlo.broadcast_in_dim %4, dims = [0, 2] : (tensor<2x4xf32>) -> tensor<2x32x4xf32>
    %6 = stablehlo.subtract %2, %5 : tensor<2x32x4xf32>
    %7 = stablehlo.reshape %online.encoder.layer2.0.bn1.statistics : (tensor<16xf32>) -> tensor<2x8xf32>
    %8 = stablehlo.slice %7 [0:2, 4:8] : (tensor<2x8xf32>) -> tensor<2x4xf32>
    %9 = stablehlo.broadcast_in_dim %8, dims = [0, 2] : (tensor<2x4xf32>) -> tensor<2x32x4xf32>
    %10 = stablehlo.multiply %6, %9 : tensor<2x32x4xf32>
    %11 = stablehlo.reshape %encoder.layer2.0.bn1.means : (tensor<16xf32>) -> tensor<2x8xf32>
    %12 = stablehlo.slice %11 [0:2, 0:4] : (tensor<2x8xf32>) -> tensor<2x4xf32>
    %13 = stablehlo.broadcast_in_dim %12, dims = [0, 2] : (tensor<2x4xf32>) -> tensor<2x32x4xf32>
    %14 = stablehlo.subtract %1, %13 : tensor<2x32x4xf32>
    %15 = stablehlo.reshape %encoder.layer2.0.bn1.means : (tensor<16xf32>) -> tensor<2x8xf32>
    %16 = stablehlo.slice %15 [0:2, 4:8] : (tensor<2x8xf32>) -> tensor<2x4xf32>
    %17 = stablehlo.broadcast_in_dim %16, dims = [0, 2] : (tensor<2x4xf32>) -> tensor<2x32x4xf32>
    %18 = stablehlo.multiply %10, %17 : tensor<2x32x4xf32>
    %19 = stablehlo.subtract %14, %18 : tensor<2x32x4xf32>
    %20 = stablehlo.reshape %online.encoder.layer2.0.bn1.statistics : (tensor<16xf32>) -> tensor<2x8xf32>
    %21 = stablehlo.slice %20 [0:2, 4:8] : (tensor<2x8xf32>) -> tensor<2x4xf32>
    %22 = stablehlo.broadcast_in_dim %21, dims = [0, 2] : (tensor<2x4xf32>) -> tensor<2x32x4xf32>
    %23 = stablehlo.broadcast_in_dim %encoder.layer2.0.bn1.weight, dims = [2] : (tensor<4xf32>) -> tensor<2x32x4xf32>
    %24 = stablehlo.multiply %22, %23 : tensor<2x32x4xf32>
    %25 = stablehlo.multiply %19, %24 : tensor<2x32x4xf32>
    %d.encoder.layer2.0.conv1.z = stablehlo.reshape %25 : (tensor<2x32x4xf32>) -> tensor<4x4x4x4xf32>
    // gradient of the input of encoder.layer2.0.conv1
    %26 = stablehlo.reverse %encoder.layer2.0.conv1.weight, dims = [1, 2] : (tensor<4x3x3x2xf32>) -> tensor<4x3x3x2xf32>
    %27 = stablehlo.convolution(%d.encoder.layer2.0.conv1.z, %26) dim_numbers = [b, 0, 1, f]x[i, 0, 1, o]->[b, 0, 1, f], window = {stride = [1, 1], pad = [[1, 2], [1, 2]], lhs_dilate = [2, 2], rhs_dilate = [1, 1]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64, precision_config = [#stablehlo<precision HIGHEST>, #stablehlo<precision HIGHEST>]} : (tensor<4x4x4x4xf32>, tensor<4x3x3x2xf32>) -> tensor<4x8x8x2xf32>
    // gradient of the input of encoder.layer2.0.downsample.0
    %28 = stablehlo.convolution(%d.encoder.layer2.0.downsample.0.z, %encoder.layer2.0.downsample.0.weight) dim_numbers = [b, 0, 1, f]x[i, 0, 1, o]->[b, 0, 1, f], window = {stride = [1, 1], pad = [[0, 1], [0, 1]], lhs_dilate = [2, 2], rhs_dilate = [1, 1]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64, precision_config = [#stablehlo<precision HIGHEST>, #stablehlo<precision HIGHEST>]} : (tensor<4x4x4x4xf32>, tensor<4x1x1x2xf32>) -> tensor<4x8x8x2xf32>
    %29 = stablehlo.add %27, %28 : tensor<4x8x8x2xf32>
    // ReLU of the block that ends with encoder.layer1.0.conv2
    %30 = stablehlo.constant dense<0.0e+00> : tensor<4x8x8x2xf32>
    %31 = stablehlo.compare GT, %encoder.layer1.0.conv2.y, %30, FLOAT : (tensor<4x8x8x2xf32>, tensor<4x8x8x2xf32>) -> tensor<4x8x8x2xi1>
    %32 = stablehlo.constant dense<0.0e+00> : tensor<4x8x8x2xf32>
    %33 = stablehlo.select %31, %29, %32 : (tensor<4x8x8x2xi1>, tensor<4x8x8x2xf32>, tensor<4x8x8x2xf32>) -> tensor<4x8x8x2xf32>
    // encoder.layer1.0.bn2: sums of the gradient, and of its product with x̂
    %34 = stablehlo.reshape %33 : (tensor<4x8x8x2xf32>) -> tensor<2x128x2xf32>
    %35 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %36 = stablehlo.reduce(%34 init: %35) applies stablehlo.add across dimensions = [1] : (tensor<2x128x2xf32>, tensor<f32>) -> tensor<2x2xf32>
    %37 = stablehlo.reshape %encoder.layer1.0.conv2.z : (tensor<4x8x8x2xf32>) -> tensor<2x128x2xf32>
    %38 = stablehlo.reshape %online.encoder.layer1.0.bn2.statistics : (tensor<8xf32>) -> tensor<2x4xf32>
    %39 = stablehlo.slice %38 [0:2, 0:2] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %40 = stablehlo.broadcast_in_dim %39, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x128x2xf32>
    %41 = stablehlo.subtract %37, %40 : tensor<2x128x2xf32>
    %42 = stablehlo.reshape %online.encoder.layer1.0.bn2.statistics : (tensor<8xf32>) -> tensor<2x4xf32>
    %43 = stablehlo.slice %42 [0:2, 2:4] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %44 = stablehlo.broadcast_in_dim %43, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x128x2xf32>
    %45 = stablehlo.multiply %41, %44 : tensor<2x128x2xf32>
    %46 = stablehlo.multiply %34, %45 : tensor<2x128x2xf32>
    %47 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %48 = stablehlo.reduce(%46 init: %47) applies stablehlo.add across dimensions = [1] : (tensor<2x128x2xf32>, tensor<f32>) -> tensor<2x2xf32>
    %49 = stablehlo.concatenate %36, %48, dim = 1 : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x4xf32>
    %sums = stablehlo.reshape %49 : (tensor<2x4xf32>) -> tensor<8xf32>
    return %d.encoder.layer2.0.conv1.z, %33, %sums : tensor<4x4x4x4xf32>, tensor<4x8x8x2xf32>, tensor<8xf32>
  }
}
module @weights_4 {
  func.func public @main(
      %encoder.layer1.0.conv2.y: tensor<4x8x8x2xf32>,
      %d.encoder.layer2.0.conv1.z: tensor<4x4x4x4xf32>,
      %d.encoder.layer2.0.downsample.0.z: tensor<4x4x4x4xf32>
  ) -> (
      tensor<4x3x3x2xf32>,
      tensor<4x1x1x2xf32>
  ) {
    // gradient of encoder.layer2.0.conv1.weight
    %d.encoder.layer2.0.conv1.weight = stablehlo.convolution(%encoder.layer1.0.conv2.y, %d.encoder.layer2.0.conv1.z) dim_numbers = [f, 0, 1, b]x[i, 0, 1, o]->[f, 0, 1, b], window = {stride = [1, 1], pad = [[1, 0], [1, 0]], lhs_dilate = [1, 1], rhs_dilate = [2, 2]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64, precision_config = [#stablehlo<precision HIGHEST>, #stablehlo<precision HIGHEST>]} : (tensor<4x8x8x2xf32>, tensor<4x4x4x4xf32>) -> tensor<4x3x3x2xf32>
    // gradient of encoder.layer2.0.downsample.0.weight
    %d.encoder.layer2.0.downsample.0.weight = stablehlo.convolution(%encoder.layer1.0.conv2.y, %d.encoder.layer2.0.downsample.0.z) dim_numbers = [f, 0, 1, b]x[i, 0, 1, o]->[f, 0, 1, b], window = {stride = [1, 1], pad = [[0, -1], [0, -1]], lhs_dilate = [1, 1], rhs_dilate = [2, 2]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64, precision_config = [#stablehlo<precision HIGHEST>, #stablehlo<precision HIGHEST>]} : (tensor<4x8x8x2xf32>, tensor<4x4x4x4xf32>) -> tensor<4x1x1x2xf32>
    return %d.encoder.layer2.0.conv1.weight, %d.encoder.layer2.0.downsample.0.weight : tensor<4x3x3x2xf32>, tensor<4x1x1x2xf32>
  }
}
module @backward_5 {
  func.func public @main(
      %0: tensor<4x8x8x2xf32>,
      %encoder.layer1.0.conv2.z: tensor<4x8x8x2xf32>,
      %online.encoder.layer1.0.bn2.statistics: tensor<8xf32>,
      %encoder.layer1.0.bn2.means: tensor<8xf32>,
      %encoder.layer1.0.bn2.weight: tensor<2xf32>,
      %encoder.layer1.0.conv2.weight: tensor<2x3x3x2xf32>,
      %encoder.layer1.0.conv1.y: tensor<4x8x8x2xf32>,
      %encoder.layer1.0.conv1.z: tensor<4x8x8x2xf32>,
      %online.encoder.layer1.0.bn1.statistics: tensor<8xf32>
  ) -> (
      tensor<4x8x8x2xf32>,
      tensor<4x8x8x2xf32>,
      tensor<8xf32>
  ) {
    // encoder.layer1.0.bn2: gradient
    %1 = stablehlo.reshape %0 : (tensor<4x8x8x2xf32>) -> tensor<2x128x2xf32>
    %2 = stablehlo.reshape %encoder.layer1.0.conv2.z : (tensor<4x8x8x2xf32>) -> tensor<2x128x2xf32>
    %3 = stablehlo.reshape %online.encoder.layer1.0.bn2.statistics : (tensor<8xf32>) -> tensor<2x4xf32>
    %4 = stablehlo.slice %3 [0:2, 0:2] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %5 = stablehlo.broadcast_in_dim %4, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x128x2xf32>
    %6 = stablehlo.subtract %2, %5 : tensor<2x128x2xf32>
    %7 = stablehlo.reshape %online.encoder.layer1.0.bn2.statistics : (tensor<8xf32>) -> tensor<2x4xf32>
    %8 = stablehlo.slice %7 [0:2, 2:4] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %9 = stablehlo.broadcast_in_dim %8, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x128x2xf32>
    %10 = stablehlo.multiply %6, %9 : tensor<2x128x2xf32>
    %11 = stablehlo.reshape %encoder.layer1.0.bn2.means : (tensor<8xf32>) -> tensor<2x4xf32>
    %12 = stablehlo.slice %11 [0:2, 0:2] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %13 = stablehlo.broadcast_in_dim %12, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x128x2xf32>
    %14 = stablehlo.subtract %1, %13 : tensor<2x128x2xf32>
    %15 = stablehlo.reshape %encoder.layer1.0.bn2.means : (tensor<8xf32>) -> tensor<2x4xf32>
    %16 = stablehlo.slice %15 [0:2, 2:4] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %17 = stablehlo.broadcast_in_dim %16, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x128x2xf32>
    %18 = stablehlo.multiply %10, %17 : tensor<2x128x2xf32>
    %19 = stablehlo.subtract %14, %18 : tensor<2x128x2xf32>
    %20 = stablehlo.reshape %online.encoder.layer1.0.bn2.statistics : (tensor<8xf32>) -> tensor<2x4xf32>
    %21 = stablehlo.slice %20 [0:2, 2:4] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %22 = stablehlo.broadcast_in_dim %21, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x128x2xf32>
    %23 = stablehlo.broadcast_in_dim %encoder.layer1.0.bn2.weight, dims = [2] : (tensor<2xf32>) -> tensor<2x128x2xf32>
    %24 = stablehlo.multiply %22, %23 : tensor<2x128x2xf32>
    %25 = stablehlo.multiply %19, %24 : tensor<2x128x2xf32>
    %d.encoder.layer1.0.conv2.z = stablehlo.reshape %25 : (tensor<2x128x2xf32>) -> tensor<4x8x8x2xf32>
    // gradient of the input of encoder.layer1.0.conv2
    %26 = stablehlo.reverse %encoder.layer1.0.conv2.weight, dims = [1, 2] : (tensor<2x3x3x2xf32>) -> tensor<2x3x3x2xf32>
    %27 = stablehlo.convolution(%d.encoder.layer1.0.conv2.z, %26) dim_numbers = [b, 0, 1, f]x[i, 0, 1, o]->[b, 0, 1, f], window = {stride = [1, 1], pad = [[1, 1], [1, 1]], lhs_dilate = [1, 1], rhs_dilate = [1, 1]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64, precision_config = [#stablehlo<precision HIGHEST>, #stablehlo<precision HIGHEST>]} : (tensor<4x8x8x2xf32>, tensor<2x3x3x2xf32>) -> tensor<4x8x8x2xf32>
    %28 = stablehlo.constant dense<0.0e+00> : tensor<4x8x8x2xf32>
    %29 = stablehlo.compare GT, %encoder.layer1.0.conv1.y, %28, FLOAT : (tensor<4x8x8x2xf32>, tensor<4x8x8x2xf32>) -> tensor<4x8x8x2xi1>
    %30 = stablehlo.constant dense<0.0e+00> : tensor<4x8x8x2xf32>
    %31 = stablehlo.select %29, %27, %30 : (tensor<4x8x8x2xi1>, tensor<4x8x8x2xf32>, tensor<4x8x8x2xf32>) -> tensor<4x8x8x2xf32>
    // encoder.layer1.0.bn1: sums of the gradient, and of its product with x̂
    %32 = stablehlo.reshape %31 : (tensor<4x8x8x2xf32>) -> tensor<2x128x2xf32>
    %33 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %34 = stablehlo.reduce(%32 init: %33) applies stablehlo.add across dimensions = [1] : (tensor<2x128x2xf32>, tensor<f32>) -> tensor<2x2xf32>
    %35 = stablehlo.reshape %encoder.layer1.0.conv1.z : (tensor<4x8x8x2xf32>) -> tensor<2x128x2xf32>
    %36 = stablehlo.reshape %online.encoder.layer1.0.bn1.statistics : (tensor<8xf32>) -> tensor<2x4xf32>
    %37 = stablehlo.slice %36 [0:2, 0:2] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %38 = stablehlo.broadcast_in_dim %37, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x128x2xf32>
    %39 = stablehlo.subtract %35, %38 : tensor<2x128x2xf32>
    %40 = stablehlo.reshape %online.encoder.layer1.0.bn1.statistics : (tensor<8xf32>) -> tensor<2x4xf32>
    %41 = stablehlo.slice %40 [0:2, 2:4] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %42 = stablehlo.broadcast_in_dim %41, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x128x2xf32>
    %43 = stablehlo.multiply %39, %42 : tensor<2x128x2xf32>
    %44 = stablehlo.multiply %32, %43 : tensor<2x128x2xf32>
    %45 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %46 = stablehlo.reduce(%44 init: %45) applies stablehlo.add across dimensions = [1] : (tensor<2x128x2xf32>, tensor<f32>) -> tensor<2x2xf32>
    %47 = stablehlo.concatenate %34, %46, dim = 1 : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x4xf32>
    %sums = stablehlo.reshape %47 : (tensor<2x4xf32>) -> tensor<8xf32>
    return %d.encoder.layer1.0.conv2.z, %31, %sums : tensor<4x8x8x2xf32>, tensor<4x8x8x2xf32>, tensor<8xf32>
  }
}
module @weights_5 {
  func.func public @main(
      %encoder.layer1.0.conv1.y: tensor<4x8x8x2xf32>,
      %d.encoder.layer1.0.conv2.z: tensor<4x8x8x2xf32>
  ) -> (
      tensor<2x3x3x2xf32>
  ) {
    // gradient of encoder.layer1.0.conv2.weight
    %d.encoder.layer1.0.conv2.weight = stablehlo.convolution(%encoder.layer1.0.conv1.y, %d.encoder.layer1.0.conv2.z) dim_numbers = [f, 0, 1, b]x[i, 0, 1, o]->[f, 0, 1, b], window = {stride = [1, 1], pad = [[1, 1], [1, 1]], lhs_dilate = [1, 1], rhs_dilate = [1, 1]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64, precision_config = [#stablehlo<precision HIGHEST>, #stablehlo<precision HIGHEST>]} : (tensor<4x8x8x2xf32>, tensor<4x8x8x2xf32>) -> tensor<2x3x3x2xf32>
    return %d.encoder.layer1.0.conv2.weight : tensor<2x3x3x2xf32>
  }
}
module @backward_6 {
  func.func public @main(
      %0: tensor<4x8x8x2xf32>,
      %encoder.layer1.0.conv1.z: tensor<4x8x8x2xf32>,
      %online.encoder.layer1.0.bn1.statistics: tensor<8xf32>,
      %encoder.layer1.0.bn1.means: tensor<8xf32>,
      %encoder.layer1.0.bn1.weight: tensor<2xf32>,
      %encoder.layer1.0.conv1.weight: tensor<2x3x3x2xf32>,
      %1: tensor<4x8x8x2xf32>,
      %encoder.conv1.y: tensor<4x8x8x2xf32>,
      %encoder.conv1.z: tensor<4x8x8x2xf32>,
      %online.encoder.bn1.statistics: tensor<8xf32>
  ) -> (
      tensor<4x8x8x2xf32>,
      tensor<4x8x8x2xf32>,
      tensor<8xf32>
  ) {
    // encoder.layer1.0.bn1: gradient
    %2 = stablehlo.reshape %0 : (tensor<4x8x8x2xf32>) -> tensor<2x128x2xf32>
    %3 = stablehlo.reshape %encoder.layer1.0.conv1.z : (tensor<4x8x8x2xf32>) -> tensor<2x128x2xf32>
    %4 = stablehlo.reshape %online.encoder.layer1.0.bn1.statistics : (tensor<8xf32>) -> tensor<2x4xf32>
    %5 = stablehlo.slice %4 [0:2, 0:2] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %6 = stablehlo.broadcast_in_dim %5, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x128x2xf32>
    %7 = stablehlo.subtract %3, %6 : tensor<2x128x2xf32>
    %8 = stablehlo.reshape %online.encoder.layer1.0.bn1.statistics : (tensor<8xf32>) -> tensor<2x4xf32>
    %9 = stablehlo.slice %8 [0:2, 2:4] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %10 = stablehlo.broadcast_in_dim %9, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x128x2xf32>
    %11 = stablehlo.multiply %7, %10 : tensor<2x128x2xf32>
    %12 = stablehlo.reshape %encoder.layer1.0.bn1.means : (tensor<8xf32>) -> tensor<2x4xf32>
    %13 = stablehlo.slice %12 [0:2, 0:2] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %14 = stablehlo.broadcast_in_dim %13, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x128x2xf32>
    %15 = stablehlo.subtract %2, %14 : tensor<2x128x2xf32>
    %16 = stablehlo.reshape %encoder.layer1.0.bn1.means : (tensor<8xf32>) -> tensor<2x4xf32>
    %17 = stablehlo.slice %16 [0:2, 2:4] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %18 = stablehlo.broadcast_in_dim %17, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x128x2xf32>
    %19 = stablehlo.multiply %11, %18 : tensor<2x128x2xf32>
    %20 = stablehlo.subtract %15, %19 : tensor<2x128x2xf32>
    %21 = stablehlo.reshape %online.encoder.layer1.0.bn1.statistics : (tensor<8xf32>) -> tensor<2x4xf32>
    %22 = stablehlo.slice %21 [0:2, 2:4] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %23 = stablehlo.broadcast_in_dim %22, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x128x2xf32>
    %24 = stablehlo.broadcast_in_dim %encoder.layer1.0.bn1.weight, dims = [2] : (tensor<2xf32>) -> tensor<2x128x2xf32>
    %25 = stablehlo.multiply %23, %24 : tensor<2x128x2xf32>
    %26 = stablehlo.multiply %20, %25 : tensor<2x128x2xf32>
    %d.encoder.layer1.0.conv1.z = stablehlo.reshape %26 : (tensor<2x128x2xf32>) -> tensor<4x8x8x2xf32>
    // gradient of the input of encoder.layer1.0.conv1
    %27 = stablehlo.reverse %encoder.layer1.0.conv1.weight, dims = [1, 2] : (tensor<2x3x3x2xf32>) -> tensor<2x3x3x2xf32>
    %28 = stablehlo.convolution(%d.encoder.layer1.0.conv1.z, %27) dim_numbers = [b, 0, 1, f]x[i, 0, 1, o]->[b, 0, 1, f], window = {stride = [1, 1], pad = [[1, 1], [1, 1]], lhs_dilate = [1, 1], rhs_dilate = [1, 1]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64, precision_config = [#stablehlo<precision HIGHEST>, #stablehlo<precision HIGHEST>]} : (tensor<4x8x8x2xf32>, tensor<2x3x3x2xf32>) -> tensor<4x8x8x2xf32>
    %29 = stablehlo.add %28, %1 : tensor<4x8x8x2xf32>
    %30 = stablehlo.constant dense<0.0e+00> : tensor<4x8x8x2xf32>
    %31 = stablehlo.compare GT, %encoder.conv1.y, %30, FLOAT : (tensor<4x8x8x2xf32>, tensor<4x8x8x2xf32>) -> tensor<4x8x8x2xi1>
    %32 = stablehlo.constant dense<0.0e+00> : tensor<4x8x8x2xf32>
    %33 = stablehlo.select %31, %29, %32 : (tensor<4x8x8x2xi1>, tensor<4x8x8x2xf32>, tensor<4x8x8x2xf32>) -> tensor<4x8x8x2xf32>
    // encoder.bn1: sums of the gradient, and of its product with x̂
    %34 = stablehlo.reshape %33 : (tensor<4x8x8x2xf32>) -> tensor<2x128x2xf32>
    %35 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %36 = stablehlo.reduce(%34 init: %35) applies stablehlo.add across dimensions = [1] : (tensor<2x128x2xf32>, tensor<f32>) -> tensor<2x2xf32>
    %37 = stablehlo.reshape %encoder.conv1.z : (tensor<4x8x8x2xf32>) -> tensor<2x128x2xf32>
    %38 = stablehlo.reshape %online.encoder.bn1.statistics : (tensor<8xf32>) -> tensor<2x4xf32>
    %39 = stablehlo.slice %38 [0:2, 0:2] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %40 = stablehlo.broadcast_in_dim %39, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x128x2xf32>
    %41 = stablehlo.subtract %37, %40 : tensor<2x128x2xf32>
    %42 = stablehlo.reshape %online.encoder.bn1.statistics : (tensor<8xf32>) -> tensor<2x4xf32>
    %43 = stablehlo.slice %42 [0:2, 2:4] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %44 = stablehlo.broadcast_in_dim %43, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x128x2xf32>
    %45 = stablehlo.multiply %41, %44 : tensor<2x128x2xf32>
    %46 = stablehlo.multiply %34, %45 : tensor<2x128x2xf32>
    %47 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %48 = stablehlo.reduce(%46 init: %47) applies stablehlo.add across dimensions = [1] : (tensor<2x128x2xf32>, tensor<f32>) -> tensor<2x2xf32>
    %49 = stablehlo.concatenate %36, %48, dim = 1 : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x4xf32>
    %sums = stablehlo.reshape %49 : (tensor<2x4xf32>) -> tensor<8xf32>
    return %d.encoder.layer1.0.conv1.z, %33, %sums : tensor<4x8x8x2xf32>, tensor<4x8x8x2xf32>, tensor<8xf32>
  }
}
module @weights_6 {
  func.func public @main(
      %encoder.conv1.y: tensor<4x8x8x2xf32>,
      %d.encoder.layer1.0.conv1.z: tensor<4x8x8x2xf32>
  ) -> (
      tensor<2x3x3x2xf32>
  ) {
    // gradient of encoder.layer1.0.conv1.weight
    %d.encoder.layer1.0.conv1.weight = stablehlo.convolution(%encoder.conv1.y, %d.encoder.layer1.0.conv1.z) dim_numbers = [f, 0, 1, b]x[i, 0, 1, o]->[f, 0, 1, b], window = {stride = [1, 1], pad = [[1, 1], [1, 1]], lhs_dilate = [1, 1], rhs_dilate = [1, 1]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64, precision_config = [#stablehlo<precision HIGHEST>, #stablehlo<precision HIGHEST>]} : (tensor<4x8x8x2xf32>, tensor<4x8x8x2xf32>) -> tensor<2x3x3x2xf32>
    return %d.encoder.layer1.0.conv1.weight : tensor<2x3x3x2xf32>
  }
}
module @backward_7 {
  func.func public @main(
      %0: tensor<4x8x8x2xf32>,
      %encoder.conv1.z: tensor<4x8x8x2xf32>,
      %online.encoder.bn1.statistics: tensor<8xf32>,
      %encoder.bn1.means: tensor<8xf32>,
      %encoder.bn1.weight: tensor<2xf32>
  ) -> (
      tensor<4x8x8x2xf32>
  ) {
    // encoder.bn1: gradient
    %1 = stablehlo.reshape %0 : (tensor<4x8x8x2xf32>) -> tensor<2x128x2xf32>
    %2 = stablehlo.reshape %encoder.conv1.z : (tensor<4x8x8x2xf32>) -> tensor<2x128x2xf32>
    %3 = stablehlo.reshape %online.encoder.bn1.statistics : (tensor<8xf32>) -> tensor<2x4xf32>
    %4 = stablehlo.slice %3 [0:2, 0:2] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %5 = stablehlo.broadcast_in_dim %4, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x128x2xf32>
    %6 = stablehlo.subtract %2, %5 : tensor<2x128x2xf32>
    %7 = stablehlo.reshape %online.encoder.bn1.statistics : (tensor<8xf32>) -> tensor<2x4xf32>
    %8 = stablehlo.slice %7 [0:2, 2:4] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %9 = stablehlo.broadcast_in_dim %8, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x128x2xf32>
    %10 = stablehlo.multiply %6, %9 : tensor<2x128x2xf32>
    %11 = stablehlo.reshape %encoder.bn1.means : (tensor<8xf32>) -> tensor<2x4xf32>
    %12 = stablehlo.slice %11 [0:2, 0:2] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %13 = stablehlo.broadcast_in_dim %12, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x128x2xf32>
    %14 = stablehlo.subtract %1, %13 : tensor<2x128x2xf32>
    %15 = stablehlo.reshape %encoder.bn1.means : (tensor<8xf32>) -> tensor<2x4xf32>
    %16 = stablehlo.slice %15 [0:2, 2:4] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %17 = stablehlo.broadcast_in_dim %16, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x128x2xf32>
    %18 = stablehlo.multiply %10, %17 : tensor<2x128x2xf32>
    %19 = stablehlo.subtract %14, %18 : tensor<2x128x2xf32>
    %20 = stablehlo.reshape %online.encoder.bn1.statistics : (tensor<8xf32>) -> tensor<2x4xf32>
    %21 = stablehlo.slice %20 [0:2, 2:4] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %22 = stablehlo.broadcast_in_dim %21, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x128x2xf32>
    %23 = stablehlo.broadcast_in_dim %encoder.bn1.weight, dims = [2] : (tensor<2xf32>) -> tensor<2x128x2xf32>
    %24 = stablehlo.multiply %22, %23 : tensor<2x128x2xf32>
    %25 = stablehlo.multiply %19, %24 : tensor<2x128x2xf32>
    %d.encoder.conv1.z = stablehlo.reshape %25 : (tensor<2x128x2xf32>) -> tensor<4x8x8x2xf32>
    return %d.encoder.conv1.z : tensor<4x8x8x2xf32>
  }
}
module @weights_7 {
  func.func public @main(
      %images: tensor<4x8x8x3xf32>,
      %d.encoder.conv1.z: tensor<4x8x8x2xf32>
  ) -> (
      tensor<2x3x3x3xf32>
  ) {
    // gradient of encoder.conv1.weight
    %d.encoder.conv1.weight = stablehlo.convolution(%images, %d.encoder.conv1.z) dim_numbers = [f, 0, 1, b]x[i, 0, 1, o]->[f, 0, 1, b], window = {stride = [1, 1], pad = [[1, 1], [1, 1]], lhs_dilate = [1, 1], rhs_dilate = [1, 1]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64, precision_config = [#stablehlo<precision HIGHEST>, #stablehlo<precision HIGHEST>]} : (tensor<4x8x8x3xf32>, tensor<4x8x8x2xf32>) -> tensor<2x3x3x3xf32>
    return %d.encoder.conv1.weight : tensor<2x3x3x3xf32>
  }
}
module @update {
  func.func public @main(
      %theta: tensor<507xf32>,
      %gradient: tensor<507xf32>,
      %momentum: tensor<507xf32>,
      %rate: tensor<f32>
  ) -> (
      tensor<507xf32>,
      tensor<507xf32>,
      tensor<28xf32>
  ) {
    // encoder.conv1.weight
    %0 = stablehlo.slice %theta [0:54] : (tensor<507xf32>) -> tensor<54xf32>
    %1 = stablehlo.slice %gradient [0:54] : (tensor<507xf32>) -> tensor<54xf32>
    %2 = stablehlo.multiply %1, %1 : tensor<54xf32>
    %3 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %4 = stablehlo.reduce(%2 init: %3) applies stablehlo.add across dimensions = [0] : (tensor<54xf32>, tensor<f32>) -> tensor<f32>
    %5 = stablehlo.reshape %4 : (tensor<f32>) -> tensor<1xf32>
    %6 = stablehlo.constant dense<1.5e-06> : tensor<54xf32>
    %7 = stablehlo.multiply %0, %6 : tensor<54xf32>
    %8 = stablehlo.add %1, %7 : tensor<54xf32>
    %9 = stablehlo.multiply %0, %0 : tensor<54xf32>
    %10 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %11 = stablehlo.reduce(%9 init: %10) applies stablehlo.add across dimensions = [0] : (tensor<54xf32>, tensor<f32>) -> tensor<f32>
    %12 = stablehlo.sqrt %11 : tensor<f32>
    %13 = stablehlo.multiply %8, %8 : tensor<54xf32>
    %14 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %15 = stablehlo.reduce(%13 init: %14) applies stablehlo.add across dimensions = [0] : (tensor<54xf32>, tensor<f32>) -> tensor<f32>
    %16 = stablehlo.sqrt %15 : tensor<f32>
    %17 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %18 = stablehlo.compare GT, %12, %17, FLOAT : (tensor<f32>, tensor<f32>) -> tensor<i1>
    %19 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %20 = stablehlo.compare GT, %16, %19, FLOAT : (tensor<f32>, tensor<f32>) -> tensor<i1>
    %21 = stablehlo.and %18, %20 : tensor<i1>
    %22 = stablehlo.constant dense<1.0e-03> : tensor<f32>
    %23 = stablehlo.multiply %12, %22 : tensor<f32>
    %24 = stablehlo.divide %23, %16 : tensor<f32>
    %25 = stablehlo.constant dense<1.0e+00> : tensor<f32>
    %26 = stablehlo.select %21, %24, %25 : (tensor<i1>, tensor<f32>, tensor<f32>) -> tensor<f32>
    %27 = stablehlo.broadcast_in_dim %26, dims = [] : (tensor<f32>) -> tensor<54xf32>
    %28 = stablehlo.multiply %8, %27 : tensor<54xf32>
    %29 = stablehlo.slice %momentum [0:54] : (tensor<507xf32>) -> tensor<54xf32>
    %30 = stablehlo.constant dense<9.0e-01> : tensor<54xf32>
    %31 = stablehlo.multiply %29, %30 : tensor<54xf32>
    %32 = stablehlo.add %31, %28 : tensor<54xf32>
    %33 = stablehlo.broadcast_in_dim %rate, dims = [] : (tensor<f32>) -> tensor<54xf32>
    %34 = stablehlo.multiply %32, %33 : tensor<54xf32>
    %35 = stablehlo.subtract %0, %34 : tensor<54xf32>
    // encoder.bn1.weight
    %36 = stablehlo.slice %theta [54:56] : (tensor<507xf32>) -> tensor<2xf32>
    %37 = stablehlo.slice %gradient [54:56] : (tensor<507xf32>) -> tensor<2xf32>
    %38 = stablehlo.multiply %37, %37 : tensor<2xf32>
    %39 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %40 = stablehlo.reduce(%38 init: %39) applies stablehlo.add across dimensions = [0] : (tensor<2xf32>, tensor<f32>) -> tensor<f32>
    %41 = stablehlo.reshape %40 : (tensor<f32>) -> tensor<1xf32>
    %42 = stablehlo.slice %momentum [54:56] : (tensor<507xf32>) -> tensor<2xf32>
    %43 = stablehlo.constant dense<9.0e-01> : tensor<2xf32>
    %44 = stablehlo.multiply %42, %43 : tensor<2xf32>
    %45 = stablehlo.add %44, %37 : tensor<2xf32>
    %46 = stablehlo.broadcast_in_dim %rate, dims = [] : (tensor<f32>) -> tensor<2xf32>
    %47 = stablehlo.multiply %45, %46 : tensor<2xf32>
    %48 = stablehlo.subtract %36, %47 : tensor<2xf32>
    // encoder.bn1.bias
    %49 = stablehlo.slice %theta [56:58] : (tensor<507xf32>) -> tensor<2xf32>
    %50 = stablehlo.slice %gradient [56:58] : (tensor<507xf32>) -> tensor<2xf32>
    %51 = stablehlo.multiply %50, %50 : tensor<2xf32>
    %52 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %53 = stablehlo.reduce(%51 init: %52) applies stablehlo.add across dimensions = [0] : (tensor<2xf32>, tensor<f32>) -> tensor<f32>
    %54 = stablehlo.reshape %53 : (tensor<f32>) -> tensor<1xf32>
    %55 = stablehlo.slice %momentum [56:58] : (tensor<507xf32>) -> tensor<2xf32>
    %56 = stablehlo.constant dense<9.0e-01> : tensor<2xf32>
    %57 = stablehlo.multiply %55, %56 : tensor<2xf32>
    %58 = stablehlo.add %57, %50 : tensor<2xf32>
    %59 = stablehlo.broadcast_in_dim %rate, dims = [] : (tensor<f32>) -> tensor<2xf32>
    %60 = stablehlo.multiply %58, %59 : tensor<2xf32>
    %61 = stablehlo.subtract %49, %60 : tensor<2xf32>
    // encoder.layer1.0.conv1.weight
    %62 = stablehlo.slice %theta [58:94] : (tensor<507xf32>) -> tensor<36xf32>
    %63 = stablehlo.slice %gradient [58:94] : (tensor<507xf32>) -> tensor<36xf32>
    %64 = stablehlo.multiply %63, %63 : tensor<36xf32>
    %65 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %66 = stablehlo.reduce(%64 init: %65) applies stablehlo.add across dimensions = [0] : (tensor<36xf32>, tensor<f32>) -> tensor<f32>
    %67 = stablehlo.reshape %66 : (tensor<f32>) -> tensor<1xf32>
    %68 = stablehlo.constant dense<1.5e-06> : tensor<36xf32>
    %69 = stablehlo.multiply %62, %68 : tensor<36xf32>
    %70 = stablehlo.add %63, %69 : tensor<36xf32>
    %71 = stablehlo.multiply %62, %62 : tensor<36xf32>
    %72 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %73 = stablehlo.reduce(%71 init: %72) applies stablehlo.add across dimensions = [0] : (tensor<36xf32>, tensor<f32>) -> tensor<f32>
    %74 = stablehlo.sqrt %73 : tensor<f32>
    %75 = stablehlo.multiply %70, %70 : tensor<36xf32>
    %76 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %77 = stablehlo.reduce(%75 init: %76) applies stablehlo.add across dimensions = [0] : (tensor<36xf32>, tensor<f32>) -> tensor<f32>
    %78 = stablehlo.sqrt %77 : tensor<f32>
    %79 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %80 = stablehlo.compare GT, %74, %79, FLOAT : (tensor<f32>, tensor<f32>) -> tensor<i1>
    %81 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %82 = stablehlo.compare GT, %78, %81, FLOAT : (tensor<f32>, tensor<f32>) -> tensor<i1>
    %83 = stablehlo.and %80, %82 : tensor<i1>
    %84 = stablehlo.constant dense<1.0e-03> : tensor<f32>
    %85 = stablehlo.multiply %74, %84 : tensor<f32>
    %86 = stablehlo.divide %85, %78 : tensor<f32>
    %87 = stablehlo.constant dense<1.0e+00> : tensor<f32>
    %88 = stablehlo.select %83, %86, %87 : (tensor<i1>, tensor<f32>, tensor<f32>) -> tensor<f32>
    %89 = stablehlo.broadcast_in_dim %88, dims = [] : (tensor<f32>) -> tensor<36xf32>
    %90 = stablehlo.multiply %70, %89 : tensor<36xf32>
    %91 = stablehlo.slice %momentum [58:94] : (tensor<507xf32>) -> tensor<36xf32>
    %92 = stablehlo.constant dense<9.0e-01> : tensor<36xf32>
    %93 = stablehlo.multiply %91, %92 : tensor<36xf32>
    %94 = stablehlo.add %93, %90 : tensor<36xf32>
    %95 = stablehlo.broadcast_in_dim %rate, dims = [] : (tensor<f32>) -> tensor<36xf32>
    %96 = stablehlo.multiply %94, %95 : tensor<36xf32>
    %97 = stablehlo.subtract %62, %96 : tensor<36xf32>
    // encoder.layer1.0.bn1.weight
    %98 = stablehlo.slice %theta [94:96] : (tensor<507xf32>) -> tensor<2xf32>
    %99 = stablehlo.slice %gradient [94:96] : (tensor<507xf32>) -> tensor<2xf32>
    %100 = stablehlo.multiply %99, %99 : tensor<2xf32>
    %101 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %102 = stablehlo.reduce(%100 init: %101) applies stablehlo.add across dimensions = [0] : (tensor<2xf32>, tensor<f32>) -> tensor<f32>
    %103 = stablehlo.reshape %102 : (tensor<f32>) -> tensor<1xf32>
    %104 = stablehlo.slice %momentum [94:96] : (tensor<507xf32>) -> tensor<2xf32>
    %105 = stablehlo.constant dense<9.0e-01> : tensor<2xf32>
    %106 = stablehlo.multiply %104, %105 : tensor<2xf32>
    %107 = stablehlo.add %106, %99 : tensor<2xf32>
    %108 = stablehlo.broadcast_in_dim %rate, dims = [] : (tensor<f32>) -> tensor<2xf32>
    %109 = stablehlo.multiply %107, %108 : tensor<2xf32>
    %110 = stablehlo.subtract %98, %109 : tensor<2xf32>
    // encoder.layer1.0.bn1.bias
    %111 = stablehlo.slice %theta [96:98] : (tensor<507xf32>) -> tensor<2xf32>
    %112 = stablehlo.slice %gradient [96:98] : (tensor<507xf32>) -> tensor<2xf32>
    %113 = stablehlo.multiply %112, %112 : tensor<2xf32>
    %114 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %115 = stablehlo.reduce(%113 init: %114) applies stablehlo.add across dimensions = [0] : (tensor<2xf32>, tensor<f32>) -> tensor<f32>
    %116 = stablehlo.reshape %115 : (tensor<f32>) -> tensor<1xf32>
    %117 = stablehlo.slice %momentum [96:98] : (tensor<507xf32>) -> tensor<2xf32>
    %118 = stablehlo.constant dense<9.0e-01> : tensor<2xf32>
    %119 = stablehlo.multiply %117, %118 : tensor<2xf32>
    %120 = stablehlo.add %119, %112 : tensor<2xf32>
    %121 = stablehlo.broadcast_in_dim %rate, dims = [] : (tensor<f32>) -> tensor<2xf32>
    %122 = stablehlo.multiply %120, %121 : tensor<2xf32>
    %123 = stablehlo.subtract %111, %122 : tensor<2xf32>
    // encoder.layer1.0.conv2.weight
    %124 = stablehlo.slice %theta [98:134] : (tensor<507xf32>) -> tensor<36xf32>
    %125 = stablehlo.slice %gradient [98:134] : (tensor<507xf32>) -> tensor<36xf32>
    %126 = stablehlo.multiply %125, %125 : tensor<36xf32>
    %127 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %128 = stablehlo.reduce(%126 init: %127) applies stablehlo.add across dimensions = [0] : (tensor<36xf32>, tensor<f32>) -> tensor<f32>
    %129 = stablehlo.reshape %128 : (tensor<f32>) -> tensor<1xf32>
    %130 = stablehlo.constant dense<1.5e-06> : tensor<36xf32>
    %131 = stablehlo.multiply %124, %130 : tensor<36xf32>
    %132 = stablehlo.add %125, %131 : tensor<36xf32>
    %133 = stablehlo.multiply %124, %124 : tensor<36xf32>
    %134 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %135 = stablehlo.reduce(%133 init: %134) applies stablehlo.add across dimensions = [0] : (tensor<36xf32>, tensor<f32>) -> tensor<f32>
    %136 = stablehlo.sqrt %135 : tensor<f32>
    %137 = stablehlo.multiply %132, %132 : tensor<36xf32>
    %138 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %139 = stablehlo.reduce(%137 init: %138) applies stablehlo.add across dimensions = [0] : (tensor<36xf32>, tensor<f32>) -> tensor<f32>
    %140 = stablehlo.sqrt %139 : tensor<f32>
    %141 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %142 = stablehlo.compare GT, %136, %141, FLOAT : (tensor<f32>, tensor<f32>) -> tensor<i1>
    %143 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %144 = stablehlo.compare GT, %140, %143, FLOAT : (tensor<f32>, tensor<f32>) -> tensor<i1>
    %145 = stablehlo.and %142, %144 : tensor<i1>
    %146 = stablehlo.constant dense<1.0e-03> : tensor<f32>
    %147 = stablehlo.multiply %136, %146 : tensor<f32>
    %148 = stablehlo.divide %147, %140 : tensor<f32>
    %149 = stablehlo.constant dense<1.0e+00> : tensor<f32>
    %150 = stablehlo.select %145, %148, %149 : (tensor<i1>, tensor<f32>, tensor<f32>) -> tensor<f32>
    %151 = stablehlo.broadcast_in_dim %150, dims = [] : (tensor<f32>) -> tensor<36xf32>
    %152 = stablehlo.multiply %132, %151 : tensor<36xf32>
    %153 = stablehlo.slice %momentum [98:134] : (tensor<507xf32>) -> tensor<36xf32>
    %154 = stablehlo.constant dense<9.0e-01> : tensor<36xf32>
    %155 = stablehlo.multiply %153, %154 : tensor<36xf32>
    %156 = stablehlo.add %155, %152 : tensor<36xf32>
    %157 = stablehlo.broadcast_in_dim %rate, dims = [] : (tensor<f32>) -> tensor<36xf32>
    %158 = stablehlo.multiply %156, %157 : tensor<36xf32>
    %159 = stablehlo.subtract %124, %158 : tensor<36xf32>
    // encoder.layer1.0.bn2.weight
    %160 = stablehlo.slice %theta [134:136] : (tensor<507xf32>) -> tensor<2xf32>
    %161 = stablehlo.slice %gradient [134:136] : (tensor<507xf32>) -> tensor<2xf32>
    %162 = stablehlo.multiply %161, %161 : tensor<2xf32>
    %163 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %164 = stablehlo.reduce(%162 init: %163) applies stablehlo.add across dimensions = [0] : (tensor<2xf32>, tensor<f32>) -> tensor<f32>
    %165 = stablehlo.reshape %164 : (tensor<f32>) -> tensor<1xf32>
    %166 = stablehlo.slice %momentum [134:136] : (tensor<507xf32>) -> tensor<2xf32>
    %167 = stablehlo.constant dense<9.0e-01> : tensor<2xf32>
    %168 = stablehlo.multiply %166, %167 : tensor<2xf32>
    %169 = stablehlo.add %168, %161 : tensor<2xf32>
    %170 = stablehlo.broadcast_in_dim %rate, dims = [] : (tensor<f32>) -> tensor<2xf32>
    %171 = stablehlo.multiply %169, %170 : tensor<2xf32>
    %172 = stablehlo.subtract %160, %171 : tensor<2xf32>
    // encoder.layer1.0.bn2.bias
    %173 = stablehlo.slice %theta [136:138] : (tensor<507xf32>) -> tensor<2xf32>
    %174 = stablehlo.slice %gradient [136:138] : (tensor<507xf32>) -> tensor<2xf32>
    %175 = stablehlo.multiply %174, %174 : tensor<2xf32>
    %176 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %177 = stablehlo.reduce(%175 init: %176) applies stablehlo.add across dimensions = [0] : (tensor<2xf32>, tensor<f32>) -> tensor<f32>
    %178 = stablehlo.reshape %177 : (tensor<f32>) -> tensor<1xf32>
    %179 = stablehlo.slice %momentum [136:138] : (tensor<507xf32>) -> tensor<2xf32>
    %180 = stablehlo.constant dense<9.0e-01> : tensor<2xf32>
    %181 = stablehlo.multiply %179, %180 : tensor<2xf32>
    %182 = stablehlo.add %181, %174 : tensor<2xf32>
    %183 = stablehlo.broadcast_in_dim %rate, dims = [] : (tensor<f32>) -> tensor<2xf32>
    %184 = stablehlo.multiply %182, %183 : tensor<2xf32>
    %185 = stablehlo.subtract %173, %184 : tensor<2xf32>
    // encoder.layer2.0.conv1.weight
    %186 = stablehlo.slice %theta [138:210] : (tensor<507xf32>) -> tensor<72xf32>
    %187 = stablehlo.slice %gradient [138:210] : (tensor<507xf32>) -> tensor<72xf32>
    %188 = stablehlo.multiply %187, %187 : tensor<72xf32>
    %189 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %190 = stablehlo.reduce(%188 init: %189) applies stablehlo.add across dimensions = [0] : (tensor<72xf32>, tensor<f32>) -> tensor<f32>
    %191 = stablehlo.reshape %190 : (tensor<f32>) -> tensor<1xf32>
    %192 = stablehlo.constant dense<1.5e-06> : tensor<72xf32>
    %193 = stablehlo.multiply %186, %192 : tensor<72xf32>
    %194 = stablehlo.add %187, %193 : tensor<72xf32>
    %195 = stablehlo.multiply %186, %186 : tensor<72xf32>
    %196 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %197 = stablehlo.reduce(%195 init: %196) applies stablehlo.add across dimensions = [0] : (tensor<72xf32>, tensor<f32>) -> tensor<f32>
    %198 = stablehlo.sqrt %197 : tensor<f32>
    %199 = stablehlo.multiply %194, %194 : tensor<72xf32>
    %200 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %201 = stablehlo.reduce(%199 init: %200) applies stablehlo.add across dimensions = [0] : (tensor<72xf32>, tensor<f32>) -> tensor<f32>
    %202 = stablehlo.sqrt %201 : tensor<f32>
    %203 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %204 = stablehlo.compare GT, %198, %203, FLOAT : (tensor<f32>, tensor<f32>) -> tensor<i1>
    %205 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %206 = stablehlo.compare GT, %202, %205, FLOAT : (tensor<f32>, tensor<f32>) -> tensor<i1>
    %207 = stablehlo.and %204, %206 : tensor<i1>
    %208 = stablehlo.constant dense<1.0e-03> : tensor<f32>
    %209 = stablehlo.multiply %198, %208 : tensor<f32>
    %210 = stablehlo.divide %209, %202 : tensor<f32>
    %211 = stablehlo.constant dense<1.0e+00> : tensor<f32>
    %212 = stablehlo.select %207, %210, %211 : (tensor<i1>, tensor<f32>, tensor<f32>) -> tensor<f32>
    %213 = stablehlo.broadcast_in_dim %212, dims = [] : (tensor<f32>) -> tensor<72xf32>
    %214 = stablehlo.multiply %194, %213 : tensor<72xf32>
    %215 = stablehlo.slice %momentum [138:210] : (tensor<507xf32>) -> tensor<72xf32>
    %216 = stablehlo.constant dense<9.0e-01> : tensor<72xf32>
    %217 = stablehlo.multiply %215, %216 : tensor<72xf32>
    %218 = stablehlo.add %217, %214 : tensor<72xf32>
    %219 = stablehlo.broadcast_in_dim %rate, dims = [] : (tensor<f32>) -> tensor<72xf32>
    %220 = stablehlo.multiply %218, %219 : tensor<72xf32>
    %221 = stablehlo.subtract %186, %220 : tensor<72xf32>
    // encoder.layer2.0.bn1.weight
    %222 = stablehlo.slice %theta [210:214] : (tensor<507xf32>) -> tensor<4xf32>
    %223 = stablehlo.slice %gradient [210:214] : (tensor<507xf32>) -> tensor<4xf32>
    %224 = stablehlo.multiply %223, %223 : tensor<4xf32>
    %225 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %226 = stablehlo.reduce(%224 init: %225) applies stablehlo.add across dimensions = [0] : (tensor<4xf32>, tensor<f32>) -> tensor<f32>
    %227 = stablehlo.reshape %226 : (tensor<f32>) -> tensor<1xf32>
    %228 = stablehlo.slice %momentum [210:214] : (tensor<507xf32>) -> tensor<4xf32>
    %229 = stablehlo.constant dense<9.0e-01> : tensor<4xf32>
    %230 = stablehlo.multiply %228, %229 : tensor<4xf32>
    %231 = stablehlo.add %230, %223 : tensor<4xf32>
    %232 = stablehlo.broadcast_in_dim %rate, dims = [] : (tensor<f32>) -> tensor<4xf32>
    %233 = stablehlo.multiply %231, %232 : tensor<4xf32>
    %234 = stablehlo.subtract %222, %233 : tensor<4xf32>
    // encoder.layer2.0.bn1.bias
    %235 = stablehlo.slice %theta [214:218] : (tensor<507xf32>) -> tensor<4xf32>
    %236 = stablehlo.slice %gradient [214:218] : (tensor<507xf32>) -> tensor<4xf32>
    %237 = stablehlo.multiply %236, %236 : tensor<4xf32>
    %238 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %239 = stablehlo.reduce(%237 init: %238) applies stablehlo.add across dimensions = [0] : (tensor<4xf32>, tensor<f32>) -> tensor<f32>
    %240 = stablehlo.reshape %239 : (tensor<f32>) -> tensor<1xf32>
    %241 = stablehlo.slice %momentum [214:218] : (tensor<507xf32>) -> tensor<4xf32>
    %242 = stablehlo.constant dense<9.0e-01> : tensor<4xf32>
    %243 = stablehlo.multiply %241, %242 : tensor<4xf32>
    %244 = stablehlo.add %243, %236 : tensor<4xf32>
    %245 = stablehlo.broadcast_in_dim %rate, dims = [] : (tensor<f32>) -> tensor<4xf32>
    %246 = stablehlo.multiply %244, %245 : tensor<4xf32>
    %247 = stablehlo.subtract %235, %246 : tensor<4xf32>
    // encoder.layer2.0.conv2.weight
    %248 = stablehlo.slice %theta [218:362] : (tensor<507xf32>) -> tensor<144xf32>
    %249 = stablehlo.slice %gradient [218:362] : (tensor<507xf32>) -> tensor<144xf32>
    %250 = stablehlo.multiply %249, %249 : tensor<144xf32>
    %251 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %252 = stablehlo.reduce(%250 init: %251) applies stablehlo.add across dimensions = [0] : (tensor<144xf32>, tensor<f32>) -> tensor<f32>
    %253 = stablehlo.reshape %252 : (tensor<f32>) -> tensor<1xf32>
    %254 = stablehlo.constant dense<1.5e-06> : tensor<144xf32>
    %255 = stablehlo.multiply %248, %254 : tensor<144xf32>
    %256 = stablehlo.add %249, %255 : tensor<144xf32>
    %257 = stablehlo.multiply %248, %248 : tensor<144xf32>
    %258 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %259 = stablehlo.reduce(%257 init: %258) applies stablehlo.add across dimensions = [0] : (tensor<144xf32>, tensor<f32>) -> tensor<f32>
    %260 = stablehlo.sqrt %259 : tensor<f32>
    %261 = stablehlo.multiply %256, %256 : tensor<144xf32>
    %262 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %263 = stablehlo.reduce(%261 init: %262) applies stablehlo.add across dimensions = [0] : (tensor<144xf32>, tensor<f32>) -> tensor<f32>
    %264 = stablehlo.sqrt %263 : tensor<f32>
    %265 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %266 = stablehlo.compare GT, %260, %265, FLOAT : (tensor<f32>, tensor<f32>) -> tensor<i1>
    %267 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %268 = stablehlo.compare GT, %264, %267, FLOAT : (tensor<f32>, tensor<f32>) -> tensor<i1>
    %269 = stablehlo.and %266, %268 : tensor<i1>
    %270 = stablehlo.constant dense<1.0e-03> : tensor<f32>
    %271 = stablehlo.multiply %260, %270 : tensor<f32>
    %272 = stablehlo.divide %271, %264 : tensor<f32>
    %273 = stablehlo.constant dense<1.0e+00> : tensor<f32>
    %274 = stablehlo.select %269, %272, %273 : (tensor<i1>, tensor<f32>, tensor<f32>) -> tensor<f32>
    %275 = stablehlo.broadcast_in_dim %274, dims = [] : (tensor<f32>) -> tensor<144xf32>
    %276 = stablehlo.multiply %256, %275 : tensor<144xf32>
    %277 = stablehlo.slice %momentum [218:362] : (tensor<507xf32>) -> tensor<144xf32>
    %278 = stablehlo.constant dense<9.0e-01> : tensor<144xf32>
    %279 = stablehlo.multiply %277, %278 : tensor<144xf32>
    %280 = stablehlo.add %279, %276 : tensor<144xf32>
    %281 = stablehlo.broadcast_in_dim %rate, dims = [] : (tensor<f32>) -> tensor<144xf32>
    %282 = stablehlo.multiply %280, %281 : tensor<144xf32>
    %283 = stablehlo.subtract %248, %282 : tensor<144xf32>
    // encoder.layer2.0.bn2.weight
    %284 = stablehlo.slice %theta [362:366] : (tensor<507xf32>) -> tensor<4xf32>
    %285 = stablehlo.slice %gradient [362:366] : (tensor<507xf32>) -> tensor<4xf32>
    %286 = stablehlo.multiply %285, %285 : tensor<4xf32>
    %287 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %288 = stablehlo.reduce(%286 init: %287) applies stablehlo.add across dimensions = [0] : (tensor<4xf32>, tensor<f32>) -> tensor<f32>
    %289 = stablehlo.reshape %288 : (tensor<f32>) -> tensor<1xf32>
    %290 = stablehlo.slice %momentum [362:366] : (tensor<507xf32>) -> tensor<4xf32>
    %291 = stablehlo.constant dense<9.0e-01> : tensor<4xf32>
    %292 = stablehlo.multiply %290, %291 : tensor<4xf32>
    %293 = stablehlo.add %292, %285 : tensor<4xf32>
    %294 = stablehlo.broadcast_in_dim %rate, dims = [] : (tensor<f32>) -> tensor<4xf32>
    %295 = stablehlo.multiply %293, %294 : tensor<4xf32>
    %296 = stablehlo.subtract %284, %295 : tensor<4xf32>
    // encoder.layer2.0.bn2.bias
    %297 = stablehlo.slice %theta [366:370] : (tensor<507xf32>) -> tensor<4xf32>
    %298 = stablehlo.slice %gradient [366:370] : (tensor<507xf32>) -> tensor<4xf32>
    %299 = stablehlo.multiply %298, %298 : tensor<4xf32>
    %300 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %301 = stablehlo.reduce(%299 init: %300) applies stablehlo.add across dimensions = [0] : (tensor<4xf32>, tensor<f32>) -> tensor<f32>
    %302 = stablehlo.reshape %301 : (tensor<f32>) -> tensor<1xf32>
    %303 = stablehlo.slice %momentum [366:370] : (tensor<507xf32>) -> tensor<4xf32>
    %304 = stablehlo.constant dense<9.0e-01> : tensor<4xf32>
    %305 = stablehlo.multiply %303, %304 : tensor<4xf32>
    %306 = stablehlo.add %305, %298 : tensor<4xf32>
    %307 = stablehlo.broadcast_in_dim %rate, dims = [] : (tensor<f32>) -> tensor<4xf32>
    %308 = stablehlo.multiply %306, %307 : tensor<4xf32>
    %309 = stablehlo.subtract %297, %308 : tensor<4xf32>
    // encoder.layer2.0.downsample.0.weight
    %310 = stablehlo.slice %theta [370:378] : (tensor<507xf32>) -> tensor<8xf32>
    %311 = stablehlo.slice %gradient [370:378] : (tensor<507xf32>) -> tensor<8xf32>
    %312 = stablehlo.multiply %311, %311 : tensor<8xf32>
    %313 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %314 = stablehlo.reduce(%312 init: %313) applies stablehlo.add across dimensions = [0] : (tensor<8xf32>, tensor<f32>) -> tensor<f32>
    %315 = stablehlo.reshape %314 : (tensor<f32>) -> tensor<1xf32>
    %316 = stablehlo.constant dense<1.5e-06> : tensor<8xf32>
    %317 = stablehlo.multiply %310, %316 : tensor<8xf32>
    %318 = stablehlo.add %311, %317 : tensor<8xf32>
    %319 = stablehlo.multiply %310, %310 : tensor<8xf32>
    %320 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %321 = stablehlo.reduce(%319 init: %320) applies stablehlo.add across dimensions = [0] : (tensor<8xf32>, tensor<f32>) -> tensor<f32>
    %322 = stablehlo.sqrt %321 : tensor<f32>
    %323 = stablehlo.multiply %318, %318 : tensor<8xf32>
    %324 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %325 = stablehlo.reduce(%323 init: %324) applies stablehlo.add across dimensions = [0] : (tensor<8xf32>, tensor<f32>) -> tensor<f32>
    %326 = stablehlo.sqrt %325 : tensor<f32>
    %327 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %328 = stablehlo.compare GT, %322, %327, FLOAT : (tensor<f32>, tensor<f32>) -> tensor<i1>
    %329 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %330 = stablehlo.compare GT, %326, %329, FLOAT : (tensor<f32>, tensor<f32>) -> tensor<i1>
    %331 = stablehlo.and %328, %330 : tensor<i1>
    %332 = stablehlo.constant dense<1.0e-03> : tensor<f32>
    %333 = stablehlo.multiply %322, %332 : tensor<f32>
    %334 = stablehlo.divide %333, %326 : tensor<f32>
    %335 = stablehlo.constant dense<1.0e+00> : tensor<f32>
    %336 = stablehlo.select %331, %334, %335 : (tensor<i1>, tensor<f32>, tensor<f32>) -> tensor<f32>
    %337 = stablehlo.broadcast_in_dim %336, dims = [] : (tensor<f32>) -> tensor<8xf32>
    %338 = stablehlo.multiply %318, %337 : tensor<8xf32>
    %339 = stablehlo.slice %momentum [370:378] : (tensor<507xf32>) -> tensor<8xf32>
    %340 = stablehlo.constant dense<9.0e-01> : tensor<8xf32>
    %341 = stablehlo.multiply %339, %340 : tensor<8xf32>
    %342 = stablehlo.add %341, %338 : tensor<8xf32>
    %343 = stablehlo.broadcast_in_dim %rate, dims = [] : (tensor<f32>) -> tensor<8xf32>
    %344 = stablehlo.multiply %342, %343 : tensor<8xf32>
    %345 = stablehlo.subtract %310, %344 : tensor<8xf32>
    // encoder.layer2.0.downsample.1.weight
    %346 = stablehlo.slice %theta [378:382] : (tensor<507xf32>) -> tensor<4xf32>
    %347 = stablehlo.slice %gradient [378:382] : (tensor<507xf32>) -> tensor<4xf32>
    %348 = stablehlo.multiply %347, %347 : tensor<4xf32>
    %349 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %350 = stablehlo.reduce(%348 init: %349) applies stablehlo.add across dimensions = [0] : (tensor<4xf32>, tensor<f32>) -> tensor<f32>
    %351 = stablehlo.reshape %350 : (tensor<f32>) -> tensor<1xf32>
    %352 = stablehlo.slice %momentum [378:382] : (tensor<507xf32>) -> tensor<4xf32>
    %353 = stablehlo.constant dense<9.0e-01> : tensor<4xf32>
    %354 = stablehlo.multiply %352, %353 : tensor<4xf32>
    %355 = stablehlo.add %354, %347 : tensor<4xf32>
    %356 = stablehlo.broadcast_in_dim %rate, dims = [] : (tensor<f32>) -> tensor<4xf32>
    %357 = stablehlo.multiply %355, %356 : tensor<4xf32>
    %358 = stablehlo.subtract %346, %357 : tensor<4xf32>
    // encoder.layer2.0.downsample.1.bias
    %359 = stablehlo.slice %theta [382:386] : (tensor<507xf32>) -> tensor<4xf32>
    %360 = stablehlo.slice %gradient [382:386] : (tensor<507xf32>) -> tensor<4xf32>
    %361 = stablehlo.multiply %360, %360 : tensor<4xf32>
    %362 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %363 = stablehlo.reduce(%361 init: %362) applies stablehlo.add across dimensions = [0] : (tensor<4xf32>, tensor<f32>) -> tensor<f32>
    %364 = stablehlo.reshape %363 : (tensor<f32>) -> tensor<1xf32>
    %365 = stablehlo.slice %momentum [382:386] : (tensor<507xf32>) -> tensor<4xf32>
    %366 = stablehlo.constant dense<9.0e-01> : tensor<4xf32>
    %367 = stablehlo.multiply %365, %366 : tensor<4xf32>
    %368 = stablehlo.add %367, %360 : tensor<4xf32>
    %369 = stablehlo.broadcast_in_dim %rate, dims = [] : (tensor<f32>) -> tensor<4xf32>
    %370 = stablehlo.multiply %368, %369 : tensor<4xf32>
    %371 = stablehlo.subtract %359, %370 : tensor<4xf32>
    // projector.0.weight
    %372 = stablehlo.slice %theta [386:410] : (tensor<507xf32>) -> tensor<24xf32>
    %373 = stablehlo.slice %gradient [386:410] : (tensor<507xf32>) -> tensor<24xf32>
    %374 = stablehlo.multiply %373, %373 : tensor<24xf32>
    %375 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %376 = stablehlo.reduce(%374 init: %375) applies stablehlo.add across dimensions = [0] : (tensor<24xf32>, tensor<f32>) -> tensor<f32>
    %377 = stablehlo.reshape %376 : (tensor<f32>) -> tensor<1xf32>
    %378 = stablehlo.constant dense<1.5e-06> : tensor<24xf32>
    %379 = stablehlo.multiply %372, %378 : tensor<24xf32>
    %380 = stablehlo.add %373, %379 : tensor<24xf32>
    %381 = stablehlo.multiply %372, %372 : tensor<24xf32>
    %382 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %383 = stablehlo.reduce(%381 init: %382) applies stablehlo.add across dimensions = [0] : (tensor<24xf32>, tensor<f32>) -> tensor<f32>
    %384 = stablehlo.sqrt %383 : tensor<f32>
    %385 = stablehlo.multiply %380, %380 : tensor<24xf32>
    %386 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %387 = stablehlo.reduce(%385 init: %386) applies stablehlo.add across dimensions = [0] : (tensor<24xf32>, tensor<f32>) -> tensor<f32>
    %388 = stablehlo.sqrt %387 : tensor<f32>
    %389 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %390 = stablehlo.compare GT, %384, %389, FLOAT : (tensor<f32>, tensor<f32>) -> tensor<i1>
    %391 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %392 = stablehlo.compare GT, %388, %391, FLOAT : (tensor<f32>, tensor<f32>) -> tensor<i1>
    %393 = stablehlo.and %390, %392 : tensor<i1>
    %394 = stablehlo.constant dense<1.0e-03> : tensor<f32>
    %395 = stablehlo.multiply %384, %394 : tensor<f32>
    %396 = stablehlo.divide %395, %388 : tensor<f32>
    %397 = stablehlo.constant dense<1.0e+00> : tensor<f32>
    %398 = stablehlo.select %393, %396, %397 : (tensor<i1>, tensor<f32>, tensor<f32>) -> tensor<f32>
    %399 = stablehlo.broadcast_in_dim %398, dims = [] : (tensor<f32>) -> tensor<24xf32>
    %400 = stablehlo.multiply %380, %399 : tensor<24xf32>
    %401 = stablehlo.slice %momentum [386:410] : (tensor<507xf32>) -> tensor<24xf32>
    %402 = stablehlo.constant dense<9.0e-01> : tensor<24xf32>
    %403 = stablehlo.multiply %401, %402 : tensor<24xf32>
    %404 = stablehlo.add %403, %400 : tensor<24xf32>
    %405 = stablehlo.broadcast_in_dim %rate, dims = [] : (tensor<f32>) -> tensor<24xf32>
    %406 = stablehlo.multiply %404, %405 : tensor<24xf32>
    %407 = stablehlo.subtract %372, %406 : tensor<24xf32>
    // projector.0.bias
    %408 = stablehlo.slice %theta [410:416] : (tensor<507xf32>) -> tensor<6xf32>
    %409 = stablehlo.slice %gradient [410:416] : (tensor<507xf32>) -> tensor<6xf32>
    %410 = stablehlo.multiply %409, %409 : tensor<6xf32>
    %411 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %412 = stablehlo.reduce(%410 init: %411) applies stablehlo.add across dimensions = [0] : (tensor<6xf32>, tensor<f32>) -> tensor<f32>
    %413 = stablehlo.reshape %412 : (tensor<f32>) -> tensor<1xf32>
    %414 = stablehlo.slice %momentum [410:416] : (tensor<507xf32>) -> tensor<6xf32>
    %415 = stablehlo.constant dense<9.0e-01> : tensor<6xf32>
    %416 = stablehlo.multiply %414, %415 : tensor<6xf32>
    %417 = stablehlo.add %416, %409 : tensor<6xf32>
    %418 = stablehlo.broadcast_in_dim %rate, dims = [] : (tensor<f32>) -> tensor<6xf32>
    %419 = stablehlo.multiply %417, %418 : tensor<6xf32>
    %420 = stablehlo.subtract %408, %419 : tensor<6xf32>
    // projector.1.weight
    %421 = stablehlo.slice %theta [416:422] : (tensor<507xf32>) -> tensor<6xf32>
    %422 = stablehlo.slice %gradient [416:422] : (tensor<507xf32>) -> tensor<6xf32>
    %423 = stablehlo.multiply %422, %422 : tensor<6xf32>
    %424 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %425 = stablehlo.reduce(%423 init: %424) applies stablehlo.add across dimensions = [0] : (tensor<6xf32>, tensor<f32>) -> tensor<f32>
    %426 = stablehlo.reshape %425 : (tensor<f32>) -> tensor<1xf32>
    %427 = stablehlo.slice %momentum [416:422] : (tensor<507xf32>) -> tensor<6xf32>
    %428 = stablehlo.constant dense<9.0e-01> : tensor<6xf32>
    %429 = stablehlo.multiply %427, %428 : tensor<6xf32>
    %430 = stablehlo.add %429, %422 : tensor<6xf32>
    %431 = stablehlo.broadcast_in_dim %rate, dims = [] : (tensor<f32>) -> tensor<6xf32>
    %432 = stablehlo.multiply %430, %431 : tensor<6xf32>
    %433 = stablehlo.subtract %421, %432 : tensor<6xf32>
    // projector.1.bias
    %434 = stablehlo.slice %theta [422:428] : (tensor<507xf32>) -> tensor<6xf32>
    %435 = stablehlo.slice %gradient [422:428] : (tensor<507xf32>) -> tensor<6xf32>
    %436 = stablehlo.multiply %435, %435 : tensor<6xf32>
    %437 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %438 = stablehlo.reduce(%436 init: %437) applies stablehlo.add across dimensions = [0] : (tensor<6xf32>, tensor<f32>) -> tensor<f32>
    %439 = stablehlo.reshape %438 : (tensor<f32>) -> tensor<1xf32>
    %440 = stablehlo.slice %momentum [422:428] : (tensor<507xf32>) -> tensor<6xf32>
    %441 = stablehlo.constant dense<9.0e-01> : tensor<6xf32>
    %442 = stablehlo.multiply %440, %441 : tensor<6xf32>
    %443 = stablehlo.add %442, %435 : tensor<6xf32>
    %444 = stablehlo.broadcast_in_dim %rate, dims = [] : (tensor<f32>) -> tensor<6xf32>
    %445 = stablehlo.multiply %443, %444 : tensor<6xf32>
    %446 = stablehlo.subtract %434, %445 : tensor<6xf32>
    // projector.3.weight
    %447 = stablehlo.slice %theta [428:452] : (tensor<507xf32>) -> tensor<24xf32>
    %448 = stablehlo.slice %gradient [428:452] : (tensor<507xf32>) -> tensor<24xf32>
    %449 = stablehlo.multiply %448, %448 : tensor<24xf32>
    %450 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %451 = stablehlo.reduce(%449 init: %450) applies stablehlo.add across dimensions = [0] : (tensor<24xf32>, tensor<f32>) -> tensor<f32>
    %452 = stablehlo.reshape %451 : (tensor<f32>) -> tensor<1xf32>
    %453 = stablehlo.constant dense<1.5e-06> : tensor<24xf32>
    %454 = stablehlo.multiply %447, %453 : tensor<24xf32>
    %455 = stablehlo.add %448, %454 : tensor<24xf32>
    %456 = stablehlo.multiply %447, %447 : tensor<24xf32>
    %457 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %458 = stablehlo.reduce(%456 init: %457) applies stablehlo.add across dimensions = [0] : (tensor<24xf32>, tensor<f32>) -> tensor<f32>
    %459 = stablehlo.sqrt %458 : tensor<f32>
    %460 = stablehlo.multiply %455, %455 : tensor<24xf32>
    %461 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %462 = stablehlo.reduce(%460 init: %461) applies stablehlo.add across dimensions = [0] : (tensor<24xf32>, tensor<f32>) -> tensor<f32>
    %463 = stablehlo.sqrt %462 : tensor<f32>
    %464 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %465 = stablehlo.compare GT, %459, %464, FLOAT : (tensor<f32>, tensor<f32>) -> tensor<i1>
    %466 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %467 = stablehlo.compare GT, %463, %466, FLOAT : (tensor<f32>, tensor<f32>) -> tensor<i1>
    %468 = stablehlo.and %465, %467 : tensor<i1>
    %469 = stablehlo.constant dense<1.0e-03> : tensor<f32>
    %470 = stablehlo.multiply %459, %469 : tensor<f32>
    %471 = stablehlo.divide %470, %463 : tensor<f32>
    %472 = stablehlo.constant dense<1.0e+00> : tensor<f32>
    %473 = stablehlo.select %468, %471, %472 : (tensor<i1>, tensor<f32>, tensor<f32>) -> tensor<f32>
    %474 = stablehlo.broadcast_in_dim %473, dims = [] : (tensor<f32>) -> tensor<24xf32>
    %475 = stablehlo.multiply %455, %474 : tensor<24xf32>
    %476 = stablehlo.slice %momentum [428:452] : (tensor<507xf32>) -> tensor<24xf32>
    %477 = stablehlo.constant dense<9.0e-01> : tensor<24xf32>
    %478 = stablehlo.multiply %476, %477 : tensor<24xf32>
    %479 = stablehlo.add %478, %475 : tensor<24xf32>
    %480 = stablehlo.broadcast_in_dim %rate, dims = [] : (tensor<f32>) -> tensor<24xf32>
    %481 = stablehlo.multiply %479, %480 : tensor<24xf32>
    %482 = stablehlo.subtract %447, %481 : tensor<24xf32>
    // predictor.0.weight
    %483 = stablehlo.slice %theta [452:472] : (tensor<507xf32>) -> tensor<20xf32>
    %484 = stablehlo.slice %gradient [452:472] : (tensor<507xf32>) -> tensor<20xf32>
    %485 = stablehlo.multiply %484, %484 : tensor<20xf32>
    %486 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %487 = stablehlo.reduce(%485 init: %486) applies stablehlo.add across dimensions = [0] : (tensor<20xf32>, tensor<f32>) -> tensor<f32>
    %488 = stablehlo.reshape %487 : (tensor<f32>) -> tensor<1xf32>
    %489 = stablehlo.constant dense<1.5e-06> : tensor<20xf32>
    %490 = stablehlo.multiply %483, %489 : tensor<20xf32>
    %491 = stablehlo.add %484, %490 : tensor<20xf32>
    %492 = stablehlo.multiply %483, %483 : tensor<20xf32>
    %493 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %494 = stablehlo.reduce(%492 init: %493) applies stablehlo.add across dimensions = [0] : (tensor<20xf32>, tensor<f32>) -> tensor<f32>
    %495 = stablehlo.sqrt %494 : tensor<f32>
    %496 = stablehlo.multiply %491, %491 : tensor<20xf32>
    %497 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %498 = stablehlo.reduce(%496 init: %497) applies stablehlo.add across dimensions = [0] : (tensor<20xf32>, tensor<f32>) -> tensor<f32>
    %499 = stablehlo.sqrt %498 : tensor<f32>
    %500 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %501 = stablehlo.compare GT, %495, %500, FLOAT : (tensor<f32>, tensor<f32>) -> tensor<i1>
    %502 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %503 = stablehlo.compare GT, %499, %502, FLOAT : (tensor<f32>, tensor<f32>) -> tensor<i1>
    %504 = stablehlo.and %501, %503 : tensor<i1>
    %505 = stablehlo.constant dense<1.0e-03> : tensor<f32>
    %506 = stablehlo.multiply %495, %505 : tensor<f32>
    %507 = stablehlo.divide %506, %499 : tensor<f32>
    %508 = stablehlo.constant dense<1.0e+00> : tensor<f32>
    %509 = stablehlo.select %504, %507, %508 : (tensor<i1>, tensor<f32>, tensor<f32>) -> tensor<f32>
    %510 = stablehlo.broadcast_in_dim %509, dims = [] : (tensor<f32>) -> tensor<20xf32>
    %511 = stablehlo.multiply %491, %510 : tensor<20xf32>
    %512 = stablehlo.slice %momentum [452:472] : (tensor<507xf32>) -> tensor<20xf32>
    %513 = stablehlo.constant dense<9.0e-01> : tensor<20xf32>
    %514 = stablehlo.multiply %512, %513 : tensor<20xf32>
    %515 = stablehlo.add %514, %511 : tensor<20xf32>
    %516 = stablehlo.broadcast_in_dim %rate, dims = [] : (tensor<f32>) -> tensor<20xf32>
    %517 = stablehlo.multiply %515, %516 : tensor<20xf32>
    %518 = stablehlo.subtract %483, %517 : tensor<20xf32>
    // predictor.0.bias
    %519 = stablehlo.slice %theta [472:477] : (tensor<507xf32>) -> tensor<5xf32>
    %520 = stablehlo.slice %gradient [472:477] : (tensor<507xf32>) -> tensor<5xf32>
    %521 = stablehlo.multiply %520, %520 : tensor<5xf32>
    %522 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %523 = stablehlo.reduce(%521 init: %522) applies stablehlo.add across dimensions = [0] : (tensor<5xf32>, tensor<f32>) -> tensor<f32>
    %524 = stablehlo.reshape %523 : (tensor<f32>) -> tensor<1xf32>
    %525 = stablehlo.slice %momentum [472:477] : (tensor<507xf32>) -> tensor<5xf32>
    %526 = stablehlo.constant dense<9.0e-01> : tensor<5xf32>
    %527 = stablehlo.multiply %525, %526 : tensor<5xf32>
    %528 = stablehlo.add %527, %520 : tensor<5xf32>
    %529 = stablehlo.broadcast_in_dim %rate, dims = [] : (tensor<f32>) -> tensor<5xf32>
    %530 = stablehlo.multiply %528, %529 : tensor<5xf32>
    %531 = stablehlo.subtract %519, %530 : tensor<5xf32>
    // predictor.1.weight
    %532 = stablehlo.slice %theta [477:482] : (tensor<507xf32>) -> tensor<5xf32>
    %533 = stablehlo.slice %gradient [477:482] : (tensor<507xf32>) -> tensor<5xf32>
    %534 = stablehlo.multiply %533, %533 : tensor<5xf32>
    %535 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %536 = stablehlo.reduce(%534 init: %535) applies stablehlo.add across dimensions = [0] : (tensor<5xf32>, tensor<f32>) -> tensor<f32>
    %537 = stablehlo.reshape %536 : (tensor<f32>) -> tensor<1xf32>
    %538 = stablehlo.slice %momentum [477:482] : (tensor<507xf32>) -> tensor<5xf32>
    %539 = stablehlo.constant dense<9.0e-01> : tensor<5xf32>
    %540 = stablehlo.multiply %538, %539 : tensor<5xf32>
    %541 = stablehlo.add %540, %533 : tensor<5xf32>
    %542 = stablehlo.broadcast_in_dim %rate, dims = [] : (tensor<f32>) -> tensor<5xf32>
    %543 = stablehlo.multiply %541, %542 : tensor<5xf32>
    %544 = stablehlo.subtract %532, %543 : tensor<5xf32>
    // predictor.1.bias
    %545 = stablehlo.slice %theta [482:487] : (tensor<507xf32>) -> tensor<5xf32>
    %546 = stablehlo.slice %gradient [482:487] : (tensor<507xf32>) -> tensor<5xf32>
    %547 = stablehlo.multiply %546, %546 : tensor<5xf32>
    %548 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %549 = stablehlo.reduce(%547 init: %548) applies stablehlo.add across dimensions = [0] : (tensor<5xf32>, tensor<f32>) -> tensor<f32>
    %550 = stablehlo.reshape %549 : (tensor<f32>) -> tensor<1xf32>
    %551 = stablehlo.slice %momentum [482:487] : (tensor<507xf32>) -> tensor<5xf32>
    %552 = stablehlo.constant dense<9.0e-01> : tensor<5xf32>
    %553 = stablehlo.multiply %551, %552 : tensor<5xf32>
    %554 = stablehlo.add %553, %546 : tensor<5xf32>
    %555 = stablehlo.broadcast_in_dim %rate, dims = [] : (tensor<f32>) -> tensor<5xf32>
    %556 = stablehlo.multiply %554, %555 : tensor<5xf32>
    %557 = stablehlo.subtract %545, %556 : tensor<5xf32>
    // predictor.3.weight
    %558 = stablehlo.slice %theta [487:507] : (tensor<507xf32>) -> tensor<20xf32>
    %559 = stablehlo.slice %gradient [487:507] : (tensor<507xf32>) -> tensor<20xf32>
    %560 = stablehlo.multiply %559, %559 : tensor<20xf32>
    %561 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %562 = stablehlo.reduce(%560 init: %561) applies stablehlo.add across dimensions = [0] : (tensor<20xf32>, tensor<f32>) -> tensor<f32>
    %563 = stablehlo.reshape %562 : (tensor<f32>) -> tensor<1xf32>
    %564 = stablehlo.constant dense<1.5e-06> : tensor<20xf32>
    %565 = stablehlo.multiply %558, %564 : tensor<20xf32>
    %566 = stablehlo.add %559, %565 : tensor<20xf32>
    %567 = stablehlo.multiply %558, %558 : tensor<20xf32>
    %568 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %569 = stablehlo.reduce(%567 init: %568) applies stablehlo.add across dimensions = [0] : (tensor<20xf32>, tensor<f32>) -> tensor<f32>
    %570 = stablehlo.sqrt %569 : tensor<f32>
    %571 = stablehlo.multiply %566, %566 : tensor<20xf32>
    %572 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %573 = stablehlo.reduce(%571 init: %572) applies stablehlo.add across dimensions = [0] : (tensor<20xf32>, tensor<f32>) -> tensor<f32>
    %574 = stablehlo.sqrt %573 : tensor<f32>
    %575 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %576 = stablehlo.compare GT, %570, %575, FLOAT : (tensor<f32>, tensor<f32>) -> tensor<i1>
    %577 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %578 = stablehlo.compare GT, %574, %577, FLOAT : (tensor<f32>, tensor<f32>) -> tensor<i1>
    %579 = stablehlo.and %576, %578 : tensor<i1>
    %580 = stablehlo.constant dense<1.0e-03> : tensor<f32>
    %581 = stablehlo.multiply %570, %580 : tensor<f32>
    %582 = stablehlo.divide %581, %574 : tensor<f32>
    %583 = stablehlo.constant dense<1.0e+00> : tensor<f32>
    %584 = stablehlo.select %579, %582, %583 : (tensor<i1>, tensor<f32>, tensor<f32>) -> tensor<f32>
    %585 = stablehlo.broadcast_in_dim %584, dims = [] : (tensor<f32>) -> tensor<20xf32>
    %586 = stablehlo.multiply %566, %585 : tensor<20xf32>
    %587 = stablehlo.slice %momentum [487:507] : (tensor<507xf32>) -> tensor<20xf32>
    %588 = stablehlo.constant dense<9.0e-01> : tensor<20xf32>
    %589 = stablehlo.multiply %587, %588 : tensor<20xf32>
    %590 = stablehlo.add %589, %586 : tensor<20xf32>
    %591 = stablehlo.broadcast_in_dim %rate, dims = [] : (tensor<f32>) -> tensor<20xf32>
    %592 = stablehlo.multiply %590, %591 : tensor<20xf32>
    %593 = stablehlo.subtract %558, %592 : tensor<20xf32>
    %theta.next = stablehlo.concatenate %35, %48, %61, %97, %110, %123, %159, %172, %185, %221, %234, %247, %283, %296, %309, %345, %358, %371, %407, %420, %433, %446, %482, %518, %531, %544, %557, %593, dim = 0 : (tensor<54xf32>, tensor<2xf32>, tensor<2xf32>, tensor<36xf32>, tensor<2xf32>, tensor<2xf32>, tensor<36xf32>, tensor<2xf32>, tensor<2xf32>, tensor<72xf32>, tensor<4xf32>, tensor<4xf32>, tensor<144xf32>, tensor<4xf32>, tensor<4xf32>, tensor<8xf32>, tensor<4xf32>, tensor<4xf32>, tensor<24xf32>, tensor<6xf32>, tensor<6xf32>, tensor<6xf32>, tensor<24xf32>, tensor<20xf32>, tensor<5xf32>, tensor<5xf32>, tensor<5xf32>, tensor<20xf32>) -> tensor<507xf32>
    %momentum.next = stablehlo.concatenate %32, %45, %58, %94, %107, %120, %156, %169, %182, %218, %231, %244, %280, %293, %306, %342, %355, %368, %404, %417, %430, %443, %479, %515, %528, %541, %554, %590, dim = 0 : (tensor<54xf32>, tensor<2xf32>, tensor<2xf32>, tensor<36xf32>, tensor<2xf32>, tensor<2xf32>, tensor<36xf32>, tensor<2xf32>, tensor<2xf32>, tensor<72xf32>, tensor<4xf32>, tensor<4xf32>, tensor<144xf32>, tensor<4xf32>, tensor<4xf32>, tensor<8xf32>, tensor<4xf32>, tensor<4xf32>, tensor<24xf32>, tensor<6xf32>, tensor<6xf32>, tensor<6xf32>, tensor<24xf32>, tensor<20xf32>, tensor<5xf32>, tensor<5xf32>, tensor<5xf32>, tensor<20xf32>) -> tensor<507xf32>
    %squares = stablehlo.concatenate %5, %41, %54, %67, %103, %116, %129, %165, %178, %191, %227, %240, %253, %289, %302, %315, %351, %364, %377, %413, %426, %439, %452, %488, %524, %537, %550, %563, dim = 0 : (tensor<1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<28xf32>
    return %theta.next, %momentum.next, %squares : tensor<507xf32>, tensor<507xf32>, tensor<28xf32>
  }
}
module @encode {
  func.func public @main(
      %theta: tensor<507xf32>,
      %images: tensor<4x8x8x3xf32>,
      %statistics: tensor<58xf32>
  ) -> (
      tensor<4x4xf32>
  ) {
    %0 = stablehlo.slice %theta [0:54] : (tensor<507xf32>) -> tensor<54xf32>
    %encoder.conv1.weight = stablehlo.reshape %0 : (tensor<54xf32>) -> tensor<2x3x3x3xf32>
    // encoder.conv1: 3×3, stride 1, 3 to 2 channels
    %1 = stablehlo.convolution(%images, %encoder.conv1.weight) dim_numbers = [b, 0, 1, f]x[o, 0, 1, i]->[b, 0, 1, f], window = {stride = [1, 1], pad = [[1, 1], [1, 1]], lhs_dilate = [1, 1], rhs_dilate = [1, 1]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64, precision_config = [#stablehlo<precision HIGHEST>, #stablehlo<precision HIGHEST>]} : (tensor<4x8x8x3xf32>, tensor<2x3x3x3xf32>) -> tensor<4x8x8x2xf32>
    %encoder.bn1.running_mean = stablehlo.slice %statistics [0:2] : (tensor<58xf32>) -> tensor<2xf32>
    %encoder.bn1.running_var = stablehlo.slice %statistics [2:4] : (tensor<58xf32>) -> tensor<2xf32>
    %2 = stablehlo.constant dense<1.0e-05> : tensor<2xf32>
    %3 = stablehlo.add %encoder.bn1.running_var, %2 : tensor<2xf32>
    %4 = stablehlo.rsqrt %3 : tensor<2xf32>
    %5 = stablehlo.concatenate %encoder.bn1.running_mean, %4, dim = 0 : (tensor<2xf32>, tensor<2xf32>) -> tensor<4xf32>
    // encoder.bn1: normalise
    %6 = stablehlo.reshape %1 : (tensor<4x8x8x2xf32>) -> tensor<1x256x2xf32>
    %7 = stablehlo.reshape %5 : (tensor<4xf32>) -> tensor<1x4xf32>
    %8 = stablehlo.slice %7 [0:1, 0:2] : (tensor<1x4xf32>) -> tensor<1x2xf32>
    %9 = stablehlo.broadcast_in_dim %8, dims = [0, 2] : (tensor<1x2xf32>) -> tensor<1x256x2xf32>
    %10 = stablehlo.subtract %6, %9 : tensor<1x256x2xf32>
    %11 = stablehlo.reshape %5 : (tensor<4xf32>) -> tensor<1x4xf32>
    %12 = stablehlo.slice %11 [0:1, 2:4] : (tensor<1x4xf32>) -> tensor<1x2xf32>
    %13 = stablehlo.broadcast_in_dim %12, dims = [0, 2] : (tensor<1x2xf32>) -> tensor<1x256x2xf32>
    %14 = stablehlo.multiply %10, %13 : tensor<1x256x2xf32>
    %encoder.bn1.weight = stablehlo.slice %theta [54:56] : (tensor<507xf32>) -> tensor<2xf32>
    %15 = stablehlo.broadcast_in_dim %encoder.bn1.weight, dims = [2] : (tensor<2xf32>) -> tensor<1x256x2xf32>
    %16 = stablehlo.multiply %14, %15 : tensor<1x256x2xf32>
    %encoder.bn1.bias = stablehlo.slice %theta [56:58] : (tensor<507xf32>) -> tensor<2xf32>
    %17 = stablehlo.broadcast_in_dim %encoder.bn1.bias, dims = [2] : (tensor<2xf32>) -> tensor<1x256x2xf32>
    %18 = stablehlo.add %16, %17 : tensor<1x256x2xf32>
    %19 = stablehlo.reshape %18 : (tensor<1x256x2xf32>) -> tensor<4x8x8x2xf32>
    %20 = stablehlo.constant dense<0.0e+00> : tensor<4x8x8x2xf32>
    %21 = stablehlo.maximum %19, %20 : tensor<4x8x8x2xf32>
    %22 = stablehlo.slice %theta [58:94] : (tensor<507xf32>) -> tensor<36xf32>
    %encoder.layer1.0.conv1.weight = stablehlo.reshape %22 : (tensor<36xf32>) -> tensor<2x3x3x2xf32>
    // encoder.layer1.0.conv1: 3×3, stride 1, 2 to 2 channels
    %23 = stablehlo.convolution(%21, %encoder.layer1.0.conv1.weight) dim_numbers = [b, 0, 1, f]x[o, 0, 1, i]->[b, 0, 1, f], window = {stride = [1, 1], pad = [[1, 1], [1, 1]], lhs_dilate = [1, 1], rhs_dilate = [1, 1]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64, precision_config = [#stablehlo<precision HIGHEST>, #stablehlo<precision HIGHEST>]} : (tensor<4x8x8x2xf32>, tensor<2x3x3x2xf32>) -> tensor<4x8x8x2xf32>
    %encoder.layer1.0.bn1.running_mean = stablehlo.slice %statistics [4:6] : (tensor<58xf32>) -> tensor<2xf32>
    %encoder.layer1.0.bn1.running_var = stablehlo.slice %statistics [6:8] : (tensor<58xf32>) -> tensor<2xf32>
    %24 = stablehlo.constant dense<1.0e-05> : tensor<2xf32>
    %25 = stablehlo.add %encoder.layer1.0.bn1.running_var, %24 : tensor<2xf32>
    %26 = stablehlo.rsqrt %25 : tensor<2xf32>
    %27 = stablehlo.concatenate %encoder.layer1.0.bn1.running_mean, %26, dim = 0 : (tensor<2xf32>, tensor<2xf32>) -> tensor<4xf32>
    // encoder.layer1.0.bn1: normalise
    %28 = stablehlo.reshape %23 : (tensor<4x8x8x2xf32>) -> tensor<1x256x2xf32>
    %29 = stablehlo.reshape %27 : (tensor<4xf32>) -> tensor<1x4xf32>
    %30 = stablehlo.slice %29 [0:1, 0:2] : (tensor<1x4xf32>) -> tensor<1x2xf32>
    %31 = stablehlo.broadcast_in_dim %30, dims = [0, 2] : (tensor<1x2xf32>) -> tensor<1x256x2xf32>
    %32 = stablehlo.subtract %28, %31 : tensor<1x256x2xf32>
    %33 = stablehlo.reshape %27 : (tensor<4xf32>) -> tensor<1x4xf32>
    %34 = stablehlo.slice %33 [0:1, 2:4] : (tensor<1x4xf32>) -> tensor<1x2xf32>
    %35 = stablehlo.broadcast_in_dim %34, dims = [0, 2] : (tensor<1x2xf32>) -> tensor<1x256x2xf32>
    %36 = stablehlo.multiply %32, %35 : tensor<1x256x2xf32>
    %encoder.layer1.0.bn1.weight = stablehlo.slice %theta [94:96] : (tensor<507xf32>) -> tensor<2xf32>
    %37 = stablehlo.broadcast_in_dim %encoder.layer1.0.bn1.weight, dims = [2] : (tensor<2xf32>) -> tensor<1x256x2xf32>
    %38 = stablehlo.multiply %36, %37 : tensor<1x256x2xf32>
    %encoder.layer1.0.bn1.bias = stablehlo.slice %theta [96:98] : (tensor<507xf32>) -> tensor<2xf32>
    %39 = stablehlo.broadcast_in_dim %encoder.layer1.0.bn1.bias, dims = [2] : (tensor<2xf32>) -> tensor<1x256x2xf32>
    %40 = stablehlo.add %38, %39 : tensor<1x256x2xf32>
    %41 = stablehlo.reshape %40 : (tensor<1x256x2xf32>) -> tensor<4x8x8x2xf32>
    %42 = stablehlo.constant dense<0.0e+00> : tensor<4x8x8x2xf32>
    %43 = stablehlo.maximum %41, %42 : tensor<4x8x8x2xf32>
    %44 = stablehlo.slice %theta [98:134] : (tensor<507xf32>) -> tensor<36xf32>
    %encoder.layer1.0.conv2.weight = stablehlo.reshape %44 : (tensor<36xf32>) -> tensor<2x3x3x2xf32>
    // encoder.layer1.0.conv2: 3×3, stride 1, 2 to 2 channels
    %45 = stablehlo.convolution(%43, %encoder.layer1.0.conv2.weight) dim_numbers = [b, 0, 1, f]x[o, 0, 1, i]->[b, 0, 1, f], window = {stride = [1, 1], pad = [[1, 1], [1, 1]], lhs_dilate = [1, 1], rhs_dilate = [1, 1]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64, precision_config = [#stablehlo<precision HIGHEST>, #stablehlo<precision HIGHEST>]} : (tensor<4x8x8x2xf32>, tensor<2x3x3x2xf32>) -> tensor<4x8x8x2xf32>
    %encoder.layer1.0.bn2.running_mean = stablehlo.slice %statistics [8:10] : (tensor<58xf32>) -> tensor<2xf32>
    %encoder.layer1.0.bn2.running_var = stablehlo.slice %statistics [10:12] : (tensor<58xf32>) -> tensor<2xf32>
    %46 = stablehlo.constant dense<1.0e-05> : tensor<2xf32>
    %47 = stablehlo.add %encoder.layer1.0.bn2.running_var, %46 : tensor<2xf32>
    %48 = stablehlo.rsqrt %47 : tensor<2xf32>
    %49 = stablehlo.concatenate %encoder.layer1.0.bn2.running_mean, %48, dim = 0 : (tensor<2xf32>, tensor<2xf32>) -> tensor<4xf32>
    // encoder.layer1.0.bn2: normalise
    %50 = stablehlo.reshape %45 : (tensor<4x8x8x2xf32>) -> tensor<1x256x2xf32>
    %51 = stablehlo.reshape %49 : (tensor<4xf32>) -> tensor<1x4xf32>
    %52 = stablehlo.slice %51 [0:1, 0:2] : (tensor<1x4xf32>) -> tensor<1x2xf32>
    %53 = stablehlo.broadcast_in_dim %52, dims = [0, 2] : (tensor<1x2xf32>) -> tensor<1x256x2xf32>
    %54 = stablehlo.subtract %50, %53 : tensor<1x256x2xf32>
    %55 = stablehlo.reshape %49 : (tensor<4xf32>) -> tensor<1x4xf32>
    %56 = stablehlo.slice %55 [0:1, 2:4] : (tensor<1x4xf32>) -> tensor<1x2xf32>
    %57 = stablehlo.broadcast_in_dim %56, dims = [0, 2] : (tensor<1x2xf32>) -> tensor<1x256x2xf32>
    %58 = stablehlo.multiply %54, %57 : tensor<1x256x2xf32>
    %encoder.layer1.0.bn2.weight = stablehlo.slice %theta [134:136] : (tensor<507xf32>) -> tensor<2xf32>
    %59 = stablehlo.broadcast_in_dim %encoder.layer1.0.bn2.weight, dims = [2] : (tensor<2xf32>) -> tensor<1x256x2xf32>
    %60 = stablehlo.multiply %58, %59 : tensor<1x256x2xf32>
    %encoder.layer1.0.bn2.bias = stablehlo.slice %theta [136:138] : (tensor<507xf32>) -> tensor<2xf32>
    %61 = stablehlo.broadcast_in_dim %encoder.layer1.0.bn2.bias, dims = [2] : (tensor<2xf32>) -> tensor<1x256x2xf32>
    %62 = stablehlo.add %60, %61 : tensor<1x256x2xf32>
    %63 = stablehlo.reshape %62 : (tensor<1x256x2xf32>) -> tensor<4x8x8x2xf32>
    %64 = stablehlo.add %63, %21 : tensor<4x8x8x2xf32>
    %65 = stablehlo.constant dense<0.0e+00> : tensor<4x8x8x2xf32>
    %66 = stablehlo.maximum %64, %65 : tensor<4x8x8x2xf32>
    %67 = stablehlo.slice %theta [138:210] : (tensor<507xf32>) -> tensor<72xf32>
    %encoder.layer2.0.conv1.weight = stablehlo.reshape %67 : (tensor<72xf32>) -> tensor<4x3x3x2xf32>
    // encoder.layer2.0.conv1: 3×3, stride 2, 2 to 4 channels
    %68 = stablehlo.convolution(%66, %encoder.layer2.0.conv1.weight) dim_numbers = [b, 0, 1, f]x[o, 0, 1, i]->[b, 0, 1, f], window = {stride = [2, 2], pad = [[1, 1], [1, 1]], lhs_dilate = [1, 1], rhs_dilate = [1, 1]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64, precision_config = [#stablehlo<precision HIGHEST>, #stablehlo<precision HIGHEST>]} : (tensor<4x8x8x2xf32>, tensor<4x3x3x2xf32>) -> tensor<4x4x4x4xf32>
    %encoder.layer2.0.bn1.running_mean = stablehlo.slice %statistics [12:16] : (tensor<58xf32>) -> tensor<4xf32>
    %encoder.layer2.0.bn1.running_var = stablehlo.slice %statistics [16:20] : (tensor<58xf32>) -> tensor<4xf32>
    %69 = stablehlo.constant dense<1.0e-05> : tensor<4xf32>
    %70 = stablehlo.add %encoder.layer2.0.bn1.running_var, %69 : tensor<4xf32>
    %71 = stablehlo.rsqrt %70 : tensor<4xf32>
    %72 = stablehlo.concatenate %encoder.layer2.0.bn1.running_mean, %71, dim = 0 : (tensor<4xf32>, tensor<4xf32>) -> tensor<8xf32>
    // encoder.layer2.0.bn1: normalise
    %73 = stablehlo.reshape %68 : (tensor<4x4x4x4xf32>) -> tensor<1x64x4xf32>
    %74 = stablehlo.reshape %72 : (tensor<8xf32>) -> tensor<1x8xf32>
    %75 = stablehlo.slice %74 [0:1, 0:4] : (tensor<1x8xf32>) -> tensor<1x4xf32>
    %76 = stablehlo.broadcast_in_dim %75, dims = [0, 2] : (tensor<1x4xf32>) -> tensor<1x64x4xf32>
    %77 = stablehlo.subtract %73, %76 : tensor<1x64x4xf32>
    %78 = stablehlo.reshape %72 : (tensor<8xf32>) -> tensor<1x8xf32>
    %79 = stablehlo.slice %78 [0:1, 4:8] : (tensor<1x8xf32>) -> tensor<1x4xf32>
    %80 = stablehlo.broadcast_in_dim %79, dims = [0, 2] : (tensor<1x4xf32>) -> tensor<1x64x4xf32>
    %81 = stablehlo.multiply %77, %80 : tensor<1x64x4xf32>
    %encoder.layer2.0.bn1.weight = stablehlo.slice %theta [210:214] : (tensor<507xf32>) -> tensor<4xf32>
    %82 = stablehlo.broadcast_in_dim %encoder.layer2.0.bn1.weight, dims = [2] : (tensor<4xf32>) -> tensor<1x64x4xf32>
    %83 = stablehlo.multiply %81, %82 : tensor<1x64x4xf32>
    %encoder.layer2.0.bn1.bias = stablehlo.slice %theta [214:218] : (tensor<507xf32>) -> tensor<4xf32>
    %84 = stablehlo.broadcast_in_dim %encoder.layer2.0.bn1.bias, dims = [2] : (tensor<4xf32>) -> tensor<1x64x4xf32>
    %85 = stablehlo.add %83, %84 : tensor<1x64x4xf32>
    %86 = stablehlo.reshape %85 : (tensor<1x64x4xf32>) -> tensor<4x4x4x4xf32>
    %87 = stablehlo.constant dense<0.0e+00> : tensor<4x4x4x4xf32>
    %88 = stablehlo.maximum %86, %87 : tensor<4x4x4x4xf32>
    %89 = stablehlo.slice %theta [218:362] : (tensor<507xf32>) -> tensor<144xf32>
    %encoder.layer2.0.conv2.weight = stablehlo.reshape %89 : (tensor<144xf32>) -> tensor<4x3x3x4xf32>
    // encoder.layer2.0.conv2: 3×3, stride 1, 4 to 4 channels
    %90 = stablehlo.convolution(%88, %encoder.layer2.0.conv2.weight) dim_numbers = [b, 0, 1, f]x[o, 0, 1, i]->[b, 0, 1, f], window = {stride = [1, 1], pad = [[1, 1], [1, 1]], lhs_dilate = [1, 1], rhs_dilate = [1, 1]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64, precision_config = [#stablehlo<precision HIGHEST>, #stablehlo<precision HIGHEST>]} : (tensor<4x4x4x4xf32>, tensor<4x3x3x4xf32>) -> tensor<4x4x4x4xf32>
    %91 = stablehlo.slice %theta [370:378] : (tensor<507xf32>) -> tensor<8xf32>
    %encoder.layer2.0.downsample.0.weight = stablehlo.reshape %91 : (tensor<8xf32>) -> tensor<4x1x1x2xf32>
    // encoder.layer2.0.downsample.0: 1×1, stride 2, 2 to 4 channels
    %92 = stablehlo.convolution(%66, %encoder.layer2.0.downsample.0.weight) dim_numbers = [b, 0, 1, f]x[o, 0, 1, i]->[b, 0, 1, f], window = {stride = [2, 2], pad = [[0, 0], [0, 0]], lhs_dilate = [1, 1], rhs_dilate = [1, 1]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64, precision_config = [#stablehlo<precision HIGHEST>, #stablehlo<precision HIGHEST>]} : (tensor<4x8x8x2xf32>, tensor<4x1x1x2xf32>) -> tensor<4x4x4x4xf32>
    %encoder.layer2.0.bn2.running_mean = stablehlo.slice %statistics [20:24] : (tensor<58xf32>) -> tensor<4xf32>
    %encoder.layer2.0.bn2.running_var = stablehlo.slice %statistics [24:28] : (tensor<58xf32>) -> tensor<4xf32>
    %93 = stablehlo.constant dense<1.0e-05> : tensor<4xf32>
    %94 = stablehlo.add %encoder.layer2.0.bn2.running_var, %93 : tensor<4xf32>
    %95 = stablehlo.rsqrt %94 : tensor<4xf32>
    %96 = stablehlo.concatenate %encoder.layer2.0.bn2.running_mean, %95, dim = 0 : (tensor<4xf32>, tensor<4xf32>) -> tensor<8xf32>
    %encoder.layer2.0.downsample.1.running_mean = stablehlo.slice %statistics [28:32] : (tensor<58xf32>) -> tensor<4xf32>
    %encoder.layer2.0.downsample.1.running_var = stablehlo.slice %statistics [32:36] : (tensor<58xf32>) -> tensor<4xf32>
    %97 = stablehlo.constant dense<1.0e-05> : tensor<4xf32>
    %98 = stablehlo.add %encoder.layer2.0.downsample.1.running_var, %97 : tensor<4xf32>
    %99 = stablehlo.rsqrt %98 : tensor<4xf32>
    %100 = stablehlo.concatenate %encoder.layer2.0.downsample.1.running_mean, %99, dim = 0 : (tensor<4xf32>, tensor<4xf32>) -> tensor<8xf32>
    // encoder.layer2.0.bn2: normalise
    %101 = stablehlo.reshape %90 : (tensor<4x4x4x4xf32>) -> tensor<1x64x4xf32>
    %102 = stablehlo.reshape %96 : (tensor<8xf32>) -> tensor<1x8xf32>
    %103 = stablehlo.slice %102 [0:1, 0:4] : (tensor<1x8xf32>) -> tensor<1x4xf32>
    %104 = stablehlo.broadcast_in_dim %103, dims = [0, 2] : (tensor<1x4xf32>) -> tensor<1x64x4xf32>
    %105 = stablehlo.subtract %101, %104 : tensor<1x64x4xf32>
    %106 = stablehlo.reshape %96 : (tensor<8xf32>) -> tensor<1x8xf32>
    %107 = stablehlo.slice %106 [0:1, 4:8] : (tensor<1x8xf32>) -> tensor<1x4xf32>
    %108 = stablehlo.broadcast_in_dim %107, dims = [0, 2] : (tensor<1x4xf32>) -> tensor<1x64x4xf32>
    %109 = stablehlo.multiply %105, %108 : tensor<1x64x4xf32>
    %encoder.layer2.0.bn2.weight = stablehlo.slice %theta [362:366] : (tensor<507xf32>) -> tensor<4xf32>
    %110 = stablehlo.broadcast_in_dim %encoder.layer2.0.bn2.weight, dims = [2] : (tensor<4xf32>) -> tensor<1x64x4xf32>
    %111 = stablehlo.multiply %109, %110 : tensor<1x64x4xf32>
    %encoder.layer2.0.bn2.bias = stablehlo.slice %theta [366:370] : (tensor<507xf32>) -> tensor<4xf32>
    %112 = stablehlo.broadcast_in_dim %encoder.layer2.0.bn2.bias, dims = [2] : (tensor<4xf32>) -> tensor<1x64x4xf32>
    %113 = stablehlo.add %111, %112 : tensor<1x64x4xf32>
    %114 = stablehlo.reshape %113 : (tensor<1x64x4xf32>) -> tensor<4x4x4x4xf32>
    // encoder.layer2.0.downsample.1: normalise
    %115 = stablehlo.reshape %92 : (tensor<4x4x4x4xf32>) -> tensor<1x64x4xf32>
    %116 = stablehlo.reshape %100 : (tensor<8xf32>) -> tensor<1x8xf32>
    %117 = stablehlo.slice %116 [0:1, 0:4] : (tensor<1x8xf32>) -> tensor<1x4xf32>
    %118 = stablehlo.broadcast_in_dim %117, dims = [0, 2] : (tensor<1x4xf32>) -> tensor<1x64x4xf32>
    %119 = stablehlo.subtract %115, %118 : tensor<1x64x4xf32>
    %120 = stablehlo.reshape %100 : (tensor<8xf32>) -> tensor<1x8xf32>
    %121 = stablehlo.slice %120 [0:1, 4:8] : (tensor<1x8xf32>) -> tensor<1x4xf32>
    %122 = stablehlo.broadcast_in_dim %121, dims = [0, 2] : (tensor<1x4xf32>) -> tensor<1x64x4xf32>
    %123 = stablehlo.multiply %119, %122 : tensor<1x64x4xf32>
    %encoder.layer2.0.downsample.1.weight = stablehlo.slice %theta [378:382] : (tensor<507xf32>) -> tensor<4xf32>
    %124 = stablehlo.broadcast_in_dim %encoder.layer2.0.downsample.1.weight, dims = [2] : (tensor<4xf32>) -> tensor<1x64x4xf32>
    %125 = stablehlo.multiply %123, %124 : tensor<1x64x4xf32>
    %encoder.layer2.0.downsample.1.bias = stablehlo.slice %theta [382:386] : (tensor<507xf32>) -> tensor<4xf32>
    %126 = stablehlo.broadcast_in_dim %encoder.layer2.0.downsample.1.bias, dims = [2] : (tensor<4xf32>) -> tensor<1x64x4xf32>
    %127 = stablehlo.add %125, %126 : tensor<1x64x4xf32>
    %128 = stablehlo.reshape %127 : (tensor<1x64x4xf32>) -> tensor<4x4x4x4xf32>
    %129 = stablehlo.add %114, %128 : tensor<4x4x4x4xf32>
    %130 = stablehlo.constant dense<0.0e+00> : tensor<4x4x4x4xf32>
    %131 = stablehlo.maximum %129, %130 : tensor<4x4x4x4xf32>
    // mean over positions
    %132 = stablehlo.reshape %131 : (tensor<4x4x4x4xf32>) -> tensor<4x16x4xf32>
    %133 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %134 = stablehlo.reduce(%132 init: %133) applies stablehlo.add across dimensions = [1] : (tensor<4x16x4xf32>, tensor<f32>) -> tensor<4x4xf32>
    %135 = stablehlo.constant dense<6.25e-02> : tensor<4x4xf32>
    %features = stablehlo.multiply %134, %135 : tensor<4x4xf32>
    return %features : tensor<4x4xf32>
  }
}
