module @load {
  func.func public @main(
      %view1: tensor<2x8x8x3xf32>,
      %view2: tensor<2x8x8x3xf32>
  ) -> (
      tensor<4x8x8x3xbf16>
  ) {
    %0 = stablehlo.concatenate %view1, %view2, dim = 0 : (tensor<2x8x8x3xf32>, tensor<2x8x8x3xf32>) -> tensor<4x8x8x3xf32>
    %images = stablehlo.convert %0 : (tensor<4x8x8x3xf32>) -> tensor<4x8x8x3xbf16>
    return %images : tensor<4x8x8x3xbf16>
  }
}
module @prepare_online {
  func.func public @main(
      %theta: tensor<582xf32>,
      %online.statistics: tensor<66xf32>
  ) -> (
      tensor<2x7x7x3xbf16>,
      tensor<2xf32>,
      tensor<2xf32>,
      tensor<2xf32>,
      tensor<2x1x1x2xbf16>,
      tensor<2xf32>,
      tensor<2xf32>,
      tensor<2xf32>,
      tensor<2x3x3x2xbf16>,
      tensor<2xf32>,
      tensor<2xf32>,
      tensor<2xf32>,
      tensor<8x1x1x2xbf16>,
      tensor<8x1x1x2xbf16>,
      tensor<8xf32>,
      tensor<8xf32>,
      tensor<8xf32>,
      tensor<8xf32>,
      tensor<8xf32>,
      tensor<8xf32>,
      tensor<6x8xbf16>,
      tensor<6xf32>,
      tensor<6xf32>,
      tensor<6xf32>,
      tensor<6xf32>,
      tensor<4x6xbf16>,
      tensor<5x4xbf16>,
      tensor<5xf32>,
      tensor<5xf32>,
      tensor<5xf32>,
      tensor<5xf32>,
      tensor<4x5xbf16>,
      tensor<3x8xbf16>,
      tensor<3xf32>
  ) {
    %0 = stablehlo.slice %theta [0:294] : (tensor<582xf32>) -> tensor<294xf32>
    %1 = stablehlo.reshape %0 : (tensor<294xf32>) -> tensor<2x7x7x3xf32>
    %encoder.conv1.weight.bf16 = stablehlo.convert %1 : (tensor<2x7x7x3xf32>) -> tensor<2x7x7x3xbf16>
    %encoder.bn1.running_mean = stablehlo.slice %online.statistics [0:2] : (tensor<66xf32>) -> tensor<2xf32>
    %encoder.bn1.weight = stablehlo.slice %theta [294:296] : (tensor<582xf32>) -> tensor<2xf32>
    %encoder.bn1.bias = stablehlo.slice %theta [296:298] : (tensor<582xf32>) -> tensor<2xf32>
    %2 = stablehlo.slice %theta [298:302] : (tensor<582xf32>) -> tensor<4xf32>
    %3 = stablehlo.reshape %2 : (tensor<4xf32>) -> tensor<2x1x1x2xf32>
    %encoder.layer1.0.conv1.weight.bf16 = stablehlo.convert %3 : (tensor<2x1x1x2xf32>) -> tensor<2x1x1x2xbf16>
    %encoder.layer1.0.bn1.running_mean = stablehlo.slice %online.statistics [4:6] : (tensor<66xf32>) -> tensor<2xf32>
    %encoder.layer1.0.bn1.weight = stablehlo.slice %theta [302:304] : (tensor<582xf32>) -> tensor<2xf32>
    %encoder.layer1.0.bn1.bias = stablehlo.slice %theta [304:306] : (tensor<582xf32>) -> tensor<2xf32>
    %4 = stablehlo.slice %theta [306:342] : (tensor<582xf32>) -> tensor<36xf32>
    %5 = stablehlo.reshape %4 : (tensor<36xf32>) -> tensor<2x3x3x2xf32>
    %encoder.layer1.0.conv2.weight.bf16 = stablehlo.convert %5 : (tensor<2x3x3x2xf32>) -> tensor<2x3x3x2xbf16>
    %encoder.layer1.0.bn2.running_mean = stablehlo.slice %online.statistics [8:10] : (tensor<66xf32>) -> tensor<2xf32>
    %encoder.layer1.0.bn2.weight = stablehlo.slice %theta [342:344] : (tensor<582xf32>) -> tensor<2xf32>
    %encoder.layer1.0.bn2.bias = stablehlo.slice %theta [344:346] : (tensor<582xf32>) -> tensor<2xf32>
    %6 = stablehlo.slice %theta [346:362] : (tensor<582xf32>) -> tensor<16xf32>
    %7 = stablehlo.reshape %6 : (tensor<16xf32>) -> tensor<8x1x1x2xf32>
    %encoder.layer1.0.conv3.weight.bf16 = stablehlo.convert %7 : (tensor<8x1x1x2xf32>) -> tensor<8x1x1x2xbf16>
    %8 = stablehlo.slice %theta [378:394] : (tensor<582xf32>) -> tensor<16xf32>
    %9 = stablehlo.reshape %8 : (tensor<16xf32>) -> tensor<8x1x1x2xf32>
    %encoder.layer1.0.downsample.0.weight.bf16 = stablehlo.convert %9 : (tensor<8x1x1x2xf32>) -> tensor<8x1x1x2xbf16>
    %encoder.layer1.0.bn3.running_mean = stablehlo.slice %online.statistics [12:20] : (tensor<66xf32>) -> tensor<8xf32>
    %encoder.layer1.0.downsample.1.running_mean = stablehlo.slice %online.statistics [28:36] : (tensor<66xf32>) -> tensor<8xf32>
    %encoder.layer1.0.bn3.weight = stablehlo.slice %theta [362:370] : (tensor<582xf32>) -> tensor<8xf32>
    %encoder.layer1.0.bn3.bias = stablehlo.slice %theta [370:378] : (tensor<582xf32>) -> tensor<8xf32>
    %encoder.layer1.0.downsample.1.weight = stablehlo.slice %theta [394:402] : (tensor<582xf32>) -> tensor<8xf32>
    %encoder.layer1.0.downsample.1.bias = stablehlo.slice %theta [402:410] : (tensor<582xf32>) -> tensor<8xf32>
    %10 = stablehlo.slice %theta [410:458] : (tensor<582xf32>) -> tensor<48xf32>
    %11 = stablehlo.reshape %10 : (tensor<48xf32>) -> tensor<6x8xf32>
    %projector.0.weight.bf16 = stablehlo.convert %11 : (tensor<6x8xf32>) -> tensor<6x8xbf16>
    %projector.0.bias = stablehlo.slice %theta [458:464] : (tensor<582xf32>) -> tensor<6xf32>
    %projector.1.running_mean = stablehlo.slice %online.statistics [44:50] : (tensor<66xf32>) -> tensor<6xf32>
    %projector.1.weight = stablehlo.slice %theta [464:470] : (tensor<582xf32>) -> tensor<6xf32>
    %projector.1.bias = stablehlo.slice %theta [470:476] : (tensor<582xf32>) -> tensor<6xf32>
    %12 = stablehlo.slice %theta [476:500] : (tensor<582xf32>) -> tensor<24xf32>
    %13 = stablehlo.reshape %12 : (tensor<24xf32>) -> tensor<4x6xf32>
    %projector.3.weight.bf16 = stablehlo.convert %13 : (tensor<4x6xf32>) -> tensor<4x6xbf16>
    %14 = stablehlo.slice %theta [500:520] : (tensor<582xf32>) -> tensor<20xf32>
    %15 = stablehlo.reshape %14 : (tensor<20xf32>) -> tensor<5x4xf32>
    %predictor.0.weight.bf16 = stablehlo.convert %15 : (tensor<5x4xf32>) -> tensor<5x4xbf16>
    %predictor.0.bias = stablehlo.slice %theta [520:525] : (tensor<582xf32>) -> tensor<5xf32>
    %predictor.1.running_mean = stablehlo.slice %online.statistics [56:61] : (tensor<66xf32>) -> tensor<5xf32>
    %predictor.1.weight = stablehlo.slice %theta [525:530] : (tensor<582xf32>) -> tensor<5xf32>
    %predictor.1.bias = stablehlo.slice %theta [530:535] : (tensor<582xf32>) -> tensor<5xf32>
    %16 = stablehlo.slice %theta [535:555] : (tensor<582xf32>) -> tensor<20xf32>
    %17 = stablehlo.reshape %16 : (tensor<20xf32>) -> tensor<4x5xf32>
    %predictor.3.weight.bf16 = stablehlo.convert %17 : (tensor<4x5xf32>) -> tensor<4x5xbf16>
    %18 = stablehlo.slice %theta [555:579] : (tensor<582xf32>) -> tensor<24xf32>
    %19 = stablehlo.reshape %18 : (tensor<24xf32>) -> tensor<3x8xf32>
    %classifier.weight.bf16 = stablehlo.convert %19 : (tensor<3x8xf32>) -> tensor<3x8xbf16>
    %classifier.bias = stablehlo.slice %theta [579:582] : (tensor<582xf32>) -> tensor<3xf32>
    return %encoder.conv1.weight.bf16, %encoder.bn1.running_mean, %encoder.bn1.weight, %encoder.bn1.bias, %encoder.layer1.0.conv1.weight.bf16, %encoder.layer1.0.bn1.running_mean, %encoder.layer1.0.bn1.weight, %encoder.layer1.0.bn1.bias, %encoder.layer1.0.conv2.weight.bf16, %encoder.layer1.0.bn2.running_mean, %encoder.layer1.0.bn2.weight, %encoder.layer1.0.bn2.bias, %encoder.layer1.0.conv3.weight.bf16, %encoder.layer1.0.downsample.0.weight.bf16, %encoder.layer1.0.bn3.running_mean, %encoder.layer1.0.downsample.1.running_mean, %encoder.layer1.0.bn3.weight, %encoder.layer1.0.bn3.bias, %encoder.layer1.0.downsample.1.weight, %encoder.layer1.0.downsample.1.bias, %projector.0.weight.bf16, %projector.0.bias, %projector.1.running_mean, %projector.1.weight, %projector.1.bias, %projector.3.weight.bf16, %predictor.0.weight.bf16, %predictor.0.bias, %predictor.1.running_mean, %predictor.1.weight, %predictor.1.bias, %predictor.3.weight.bf16, %classifier.weight.bf16, %classifier.bias : tensor<2x7x7x3xbf16>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2x1x1x2xbf16>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2x3x3x2xbf16>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<8x1x1x2xbf16>, tensor<8x1x1x2xbf16>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<6x8xbf16>, tensor<6xf32>, tensor<6xf32>, tensor<6xf32>, tensor<6xf32>, tensor<4x6xbf16>, tensor<5x4xbf16>, tensor<5xf32>, tensor<5xf32>, tensor<5xf32>, tensor<5xf32>, tensor<4x5xbf16>, tensor<3x8xbf16>, tensor<3xf32>
  }
}
module @prepare_target {
  func.func public @main(
      %xi: tensor<582xf32>,
      %target.statistics: tensor<66xf32>
  ) -> (
      tensor<2x7x7x3xbf16>,
      tensor<2xf32>,
      tensor<2xf32>,
      tensor<2xf32>,
      tensor<2x1x1x2xbf16>,
      tensor<2xf32>,
      tensor<2xf32>,
      tensor<2xf32>,
      tensor<2x3x3x2xbf16>,
      tensor<2xf32>,
      tensor<2xf32>,
      tensor<2xf32>,
      tensor<8x1x1x2xbf16>,
      tensor<8x1x1x2xbf16>,
      tensor<8xf32>,
      tensor<8xf32>,
      tensor<8xf32>,
      tensor<8xf32>,
      tensor<8xf32>,
      tensor<8xf32>,
      tensor<6x8xbf16>,
      tensor<6xf32>,
      tensor<6xf32>,
      tensor<6xf32>,
      tensor<6xf32>,
      tensor<4x6xbf16>
  ) {
    %0 = stablehlo.slice %xi [0:294] : (tensor<582xf32>) -> tensor<294xf32>
    %1 = stablehlo.reshape %0 : (tensor<294xf32>) -> tensor<2x7x7x3xf32>
    %encoder.conv1.weight.bf16 = stablehlo.convert %1 : (tensor<2x7x7x3xf32>) -> tensor<2x7x7x3xbf16>
    %encoder.bn1.running_mean = stablehlo.slice %target.statistics [0:2] : (tensor<66xf32>) -> tensor<2xf32>
    %encoder.bn1.weight = stablehlo.slice %xi [294:296] : (tensor<582xf32>) -> tensor<2xf32>
    %encoder.bn1.bias = stablehlo.slice %xi [296:298] : (tensor<582xf32>) -> tensor<2xf32>
    %2 = stablehlo.slice %xi [298:302] : (tensor<582xf32>) -> tensor<4xf32>
    %3 = stablehlo.reshape %2 : (tensor<4xf32>) -> tensor<2x1x1x2xf32>
    %encoder.layer1.0.conv1.weight.bf16 = stablehlo.convert %3 : (tensor<2x1x1x2xf32>) -> tensor<2x1x1x2xbf16>
    %encoder.layer1.0.bn1.running_mean = stablehlo.slice %target.statistics [4:6] : (tensor<66xf32>) -> tensor<2xf32>
    %encoder.layer1.0.bn1.weight = stablehlo.slice %xi [302:304] : (tensor<582xf32>) -> tensor<2xf32>
    %encoder.layer1.0.bn1.bias = stablehlo.slice %xi [304:306] : (tensor<582xf32>) -> tensor<2xf32>
    %4 = stablehlo.slice %xi [306:342] : (tensor<582xf32>) -> tensor<36xf32>
    %5 = stablehlo.reshape %4 : (tensor<36xf32>) -> tensor<2x3x3x2xf32>
    %encoder.layer1.0.conv2.weight.bf16 = stablehlo.convert %5 : (tensor<2x3x3x2xf32>) -> tensor<2x3x3x2xbf16>
    %encoder.layer1.0.bn2.running_mean = stablehlo.slice %target.statistics [8:10] : (tensor<66xf32>) -> tensor<2xf32>
    %encoder.layer1.0.bn2.weight = stablehlo.slice %xi [342:344] : (tensor<582xf32>) -> tensor<2xf32>
    %encoder.layer1.0.bn2.bias = stablehlo.slice %xi [344:346] : (tensor<582xf32>) -> tensor<2xf32>
    %6 = stablehlo.slice %xi [346:362] : (tensor<582xf32>) -> tensor<16xf32>
    %7 = stablehlo.reshape %6 : (tensor<16xf32>) -> tensor<8x1x1x2xf32>
    %encoder.layer1.0.conv3.weight.bf16 = stablehlo.convert %7 : (tensor<8x1x1x2xf32>) -> tensor<8x1x1x2xbf16>
    %8 = stablehlo.slice %xi [378:394] : (tensor<582xf32>) -> tensor<16xf32>
    %9 = stablehlo.reshape %8 : (tensor<16xf32>) -> tensor<8x1x1x2xf32>
    %encoder.layer1.0.downsample.0.weight.bf16 = stablehlo.convert %9 : (tensor<8x1x1x2xf32>) -> tensor<8x1x1x2xbf16>
    %encoder.layer1.0.bn3.running_mean = stablehlo.slice %target.statistics [12:20] : (tensor<66xf32>) -> tensor<8xf32>
    %encoder.layer1.0.downsample.1.running_mean = stablehlo.slice %target.statistics [28:36] : (tensor<66xf32>) -> tensor<8xf32>
    %encoder.layer1.0.bn3.weight = stablehlo.slice %xi [362:370] : (tensor<582xf32>) -> tensor<8xf32>
    %encoder.layer1.0.bn3.bias = stablehlo.slice %xi [370:378] : (tensor<582xf32>) -> tensor<8xf32>
    %encoder.layer1.0.downsample.1.weight = stablehlo.slice %xi [394:402] : (tensor<582xf32>) -> tensor<8xf32>
    %encoder.layer1.0.downsample.1.bias = stablehlo.slice %xi [402:410] : (tensor<582xf32>) -> tensor<8xf32>
    %10 = stablehlo.slice %xi [410:458] : (tensor<582xf32>) -> tensor<48xf32>
    %11 = stablehlo.reshape %10 : (tensor<48xf32>) -> tensor<6x8xf32>
    %projector.0.weight.bf16 = stablehlo.convert %11 : (tensor<6x8xf32>) -> tensor<6x8xbf16>
    %projector.0.bias = stablehlo.slice %xi [458:464] : (tensor<582xf32>) -> tensor<6xf32>
    %projector.1.running_mean = stablehlo.slice %target.statistics [44:50] : (tensor<66xf32>) -> tensor<6xf32>
    %projector.1.weight = stablehlo.slice %xi [464:470] : (tensor<582xf32>) -> tensor<6xf32>
    %projector.1.bias = stablehlo.slice %xi [470:476] : (tensor<582xf32>) -> tensor<6xf32>
    %12 = stablehlo.slice %xi [476:500] : (tensor<582xf32>) -> tensor<24xf32>
    %13 = stablehlo.reshape %12 : (tensor<24xf32>) -> tensor<4x6xf32>
    %projector.3.weight.bf16 = stablehlo.convert %13 : (tensor<4x6xf32>) -> tensor<4x6xbf16>
    return %encoder.conv1.weight.bf16, %encoder.bn1.running_mean, %encoder.bn1.weight, %encoder.bn1.bias, %encoder.layer1.0.conv1.weight.bf16, %encoder.layer1.0.bn1.running_mean, %encoder.layer1.0.bn1.weight, %encoder.layer1.0.bn1.bias, %encoder.layer1.0.conv2.weight.bf16, %encoder.layer1.0.bn2.running_mean, %encoder.layer1.0.bn2.weight, %encoder.layer1.0.bn2.bias, %encoder.layer1.0.conv3.weight.bf16, %encoder.layer1.0.downsample.0.weight.bf16, %encoder.layer1.0.bn3.running_mean, %encoder.layer1.0.downsample.1.running_mean, %encoder.layer1.0.bn3.weight, %encoder.layer1.0.bn3.bias, %encoder.layer1.0.downsample.1.weight, %encoder.layer1.0.downsample.1.bias, %projector.0.weight.bf16, %projector.0.bias, %projector.1.running_mean, %projector.1.weight, %projector.1.bias, %projector.3.weight.bf16 : tensor<2x7x7x3xbf16>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2x1x1x2xbf16>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2x3x3x2xbf16>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<8x1x1x2xbf16>, tensor<8x1x1x2xbf16>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<6x8xbf16>, tensor<6xf32>, tensor<6xf32>, tensor<6xf32>, tensor<6xf32>, tensor<4x6xbf16>
  }
}
module @online_0 {
  func.func public @main(
      %images: tensor<4x8x8x3xbf16>,
      %encoder.conv1.weight.bf16: tensor<2x7x7x3xbf16>,
      %encoder.bn1.running_mean: tensor<2xf32>
  ) -> (
      tensor<4x4x4x2xbf16>,
      tensor<8xf32>
  ) {
    // encoder.conv1: 7×7, stride 2, 3 to 2 channels
    %encoder.conv1.z = stablehlo.convolution(%images, %encoder.conv1.weight.bf16) dim_numbers = [b, 0, 1, f]x[o, 0, 1, i]->[b, 0, 1, f], window = {stride = [2, 2], pad = [[2, 3], [2, 3]], lhs_dilate = [1, 1], rhs_dilate = [1, 1]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64} : (tensor<4x8x8x3xbf16>, tensor<2x7x7x3xbf16>) -> tensor<4x4x4x2xbf16>
    // encoder.bn1: sums of the distance from the running mean, and of its square
    %0 = stablehlo.convert %encoder.conv1.z : (tensor<4x4x4x2xbf16>) -> tensor<4x4x4x2xf32>
    %1 = stablehlo.reshape %0 : (tensor<4x4x4x2xf32>) -> tensor<2x32x2xf32>
    %2 = stablehlo.broadcast_in_dim %encoder.bn1.running_mean, dims = [2] : (tensor<2xf32>) -> tensor<2x32x2xf32>
    %3 = stablehlo.subtract %1, %2 : tensor<2x32x2xf32>
    %4 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %5 = stablehlo.reduce(%3 init: %4) applies stablehlo.add across dimensions = [1] : (tensor<2x32x2xf32>, tensor<f32>) -> tensor<2x2xf32>
    %6 = stablehlo.multiply %3, %3 : tensor<2x32x2xf32>
    %7 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %8 = stablehlo.reduce(%6 init: %7) applies stablehlo.add across dimensions = [1] : (tensor<2x32x2xf32>, tensor<f32>) -> tensor<2x2xf32>
    %9 = stablehlo.concatenate %5, %8, dim = 1 : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x4xf32>
    %sums = stablehlo.reshape %9 : (tensor<2x4xf32>) -> tensor<8xf32>
    return %encoder.conv1.z, %sums : tensor<4x4x4x2xbf16>, tensor<8xf32>
  }
}
module @online_1 {
  func.func public @main(
      %encoder.conv1.z: tensor<4x4x4x2xbf16>,
      %online.encoder.bn1.statistics: tensor<8xf32>,
      %encoder.bn1.weight: tensor<2xf32>,
      %encoder.bn1.bias: tensor<2xf32>,
      %encoder.layer1.0.conv1.weight.bf16: tensor<2x1x1x2xbf16>,
      %encoder.layer1.0.bn1.running_mean: tensor<2xf32>
  ) -> (
      tensor<4x4x4x2xbf16>,
      tensor<4x2x2x2xbf16>,
      tensor<4x2x2x2xbf16>,
      tensor<8xf32>
  ) {
    // encoder.bn1: normalise
    %0 = stablehlo.convert %encoder.conv1.z : (tensor<4x4x4x2xbf16>) -> tensor<4x4x4x2xf32>
    %1 = stablehlo.reshape %0 : (tensor<4x4x4x2xf32>) -> tensor<2x32x2xf32>
    %2 = stablehlo.reshape %online.encoder.bn1.statistics : (tensor<8xf32>) -> tensor<2x4xf32>
    %3 = stablehlo.slice %2 [0:2, 0:2] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %4 = stablehlo.broadcast_in_dim %3, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x32x2xf32>
    %5 = stablehlo.subtract %1, %4 : tensor<2x32x2xf32>
    %6 = stablehlo.reshape %online.encoder.bn1.statistics : (tensor<8xf32>) -> tensor<2x4xf32>
    %7 = stablehlo.slice %6 [0:2, 2:4] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %8 = stablehlo.broadcast_in_dim %7, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x32x2xf32>
    %9 = stablehlo.multiply %5, %8 : tensor<2x32x2xf32>
    %10 = stablehlo.broadcast_in_dim %encoder.bn1.weight, dims = [2] : (tensor<2xf32>) -> tensor<2x32x2xf32>
    %11 = stablehlo.multiply %9, %10 : tensor<2x32x2xf32>
    %12 = stablehlo.broadcast_in_dim %encoder.bn1.bias, dims = [2] : (tensor<2xf32>) -> tensor<2x32x2xf32>
    %13 = stablehlo.add %11, %12 : tensor<2x32x2xf32>
    %14 = stablehlo.reshape %13 : (tensor<2x32x2xf32>) -> tensor<4x4x4x2xf32>
    %15 = stablehlo.constant dense<0.0e+00> : tensor<4x4x4x2xf32>
    %16 = stablehlo.maximum %14, %15 : tensor<4x4x4x2xf32>
    %encoder.conv1.y = stablehlo.convert %16 : (tensor<4x4x4x2xf32>) -> tensor<4x4x4x2xbf16>
    // max pooling
    %17 = stablehlo.constant dense<0xFF80> : tensor<bf16>
    %pooled = "stablehlo.reduce_window"(%encoder.conv1.y, %17) ({
    ^bb0(%a: tensor<bf16>, %b: tensor<bf16>):
      %m = stablehlo.maximum %a, %b : tensor<bf16>
      stablehlo.return %m : tensor<bf16>
    }) {window_dimensions = array<i64: 1, 3, 3, 1>, window_strides = array<i64: 1, 2, 2, 1>, padding = dense<[[0, 0], [0, 1], [0, 1], [0, 0]]> : tensor<4x2xi64>} : (tensor<4x4x4x2xbf16>, tensor<bf16>) -> tensor<4x2x2x2xbf16>
    // encoder.layer1.0.conv1: 1×1, stride 1, 2 to 2 channels
    %encoder.layer1.0.conv1.z = stablehlo.convolution(%pooled, %encoder.layer1.0.conv1.weight.bf16) dim_numbers = [b, 0, 1, f]x[o, 0, 1, i]->[b, 0, 1, f], window = {stride = [1, 1], pad = [[0, 0], [0, 0]], lhs_dilate = [1, 1], rhs_dilate = [1, 1]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64} : (tensor<4x2x2x2xbf16>, tensor<2x1x1x2xbf16>) -> tensor<4x2x2x2xbf16>
    // encoder.layer1.0.bn1: sums of the distance from the running mean, and of its square
    %18 = stablehlo.convert %encoder.layer1.0.conv1.z : (tensor<4x2x2x2xbf16>) -> tensor<4x2x2x2xf32>
    %19 = stablehlo.reshape %18 : (tensor<4x2x2x2xf32>) -> tensor<2x8x2xf32>
    %20 = stablehlo.broadcast_in_dim %encoder.layer1.0.bn1.running_mean, dims = [2] : (tensor<2xf32>) -> tensor<2x8x2xf32>
    %21 = stablehlo.subtract %19, %20 : tensor<2x8x2xf32>
    %22 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %23 = stablehlo.reduce(%21 init: %22) applies stablehlo.add across dimensions = [1] : (tensor<2x8x2xf32>, tensor<f32>) -> tensor<2x2xf32>
    %24 = stablehlo.multiply %21, %21 : tensor<2x8x2xf32>
    %25 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %26 = stablehlo.reduce(%24 init: %25) applies stablehlo.add across dimensions = [1] : (tensor<2x8x2xf32>, tensor<f32>) -> tensor<2x2xf32>
    %27 = stablehlo.concatenate %23, %26, dim = 1 : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x4xf32>
    %sums = stablehlo.reshape %27 : (tensor<2x4xf32>) -> tensor<8xf32>
    return %encoder.conv1.y, %pooled, %encoder.layer1.0.conv1.z, %sums : tensor<4x4x4x2xbf16>, tensor<4x2x2x2xbf16>, tensor<4x2x2x2xbf16>, tensor<8xf32>
  }
}
module @online_2 {
  func.func public @main(
      %encoder.layer1.0.conv1.z: tensor<4x2x2x2xbf16>,
      %online.encoder.layer1.0.bn1.statistics: tensor<8xf32>,
      %encoder.layer1.0.bn1.weight: tensor<2xf32>,
      %encoder.layer1.0.bn1.bias: tensor<2xf32>,
      %encoder.layer1.0.conv2.weight.bf16: tensor<2x3x3x2xbf16>,
      %encoder.layer1.0.bn2.running_mean: tensor<2xf32>
  ) -> (
      tensor<4x2x2x2xbf16>,
      tensor<4x2x2x2xbf16>,
      tensor<8xf32>
  ) {
    // encoder.layer1.0.bn1: normalise
    %0 = stablehlo.convert %encoder.layer1.0.conv1.z : (tensor<4x2x2x2xbf16>) -> tensor<4x2x2x2xf32>
    %1 = stablehlo.reshape %0 : (tensor<4x2x2x2xf32>) -> tensor<2x8x2xf32>
    %2 = stablehlo.reshape %online.encoder.layer1.0.bn1.statistics : (tensor<8xf32>) -> tensor<2x4xf32>
    %3 = stablehlo.slice %2 [0:2, 0:2] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %4 = stablehlo.broadcast_in_dim %3, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x8x2xf32>
    %5 = stablehlo.subtract %1, %4 : tensor<2x8x2xf32>
    %6 = stablehlo.reshape %online.encoder.layer1.0.bn1.statistics : (tensor<8xf32>) -> tensor<2x4xf32>
    %7 = stablehlo.slice %6 [0:2, 2:4] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %8 = stablehlo.broadcast_in_dim %7, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x8x2xf32>
    %9 = stablehlo.multiply %5, %8 : tensor<2x8x2xf32>
    %10 = stablehlo.broadcast_in_dim %encoder.layer1.0.bn1.weight, dims = [2] : (tensor<2xf32>) -> tensor<2x8x2xf32>
    %11 = stablehlo.multiply %9, %10 : tensor<2x8x2xf32>
    %12 = stablehlo.broadcast_in_dim %encoder.layer1.0.bn1.bias, dims = [2] : (tensor<2xf32>) -> tensor<2x8x2xf32>
    %13 = stablehlo.add %11, %12 : tensor<2x8x2xf32>
    %14 = stablehlo.reshape %13 : (tensor<2x8x2xf32>) -> tensor<4x2x2x2xf32>
    %15 = stablehlo.constant dense<0.0e+00> : tensor<4x2x2x2xf32>
    %16 = stablehlo.maximum %14, %15 : tensor<4x2x2x2xf32>
    %encoder.layer1.0.conv1.y = stablehlo.convert %16 : (tensor<4x2x2x2xf32>) -> tensor<4x2x2x2xbf16>
    // encoder.layer1.0.conv2: 3×3, stride 1, 2 to 2 channels
    %encoder.layer1.0.conv2.z = stablehlo.convolution(%encoder.layer1.0.conv1.y, %encoder.layer1.0.conv2.weight.bf16) dim_numbers = [b, 0, 1, f]x[o, 0, 1, i]->[b, 0, 1, f], window = {stride = [1, 1], pad = [[1, 1], [1, 1]], lhs_dilate = [1, 1], rhs_dilate = [1, 1]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64} : (tensor<4x2x2x2xbf16>, tensor<2x3x3x2xbf16>) -> tensor<4x2x2x2xbf16>
    // encoder.layer1.0.bn2: sums of the distance from the running mean, and of its square
    %17 = stablehlo.convert %encoder.layer1.0.conv2.z : (tensor<4x2x2x2xbf16>) -> tensor<4x2x2x2xf32>
    %18 = stablehlo.reshape %17 : (tensor<4x2x2x2xf32>) -> tensor<2x8x2xf32>
    %19 = stablehlo.broadcast_in_dim %encoder.layer1.0.bn2.running_mean, dims = [2] : (tensor<2xf32>) -> tensor<2x8x2xf32>
    %20 = stablehlo.subtract %18, %19 : tensor<2x8x2xf32>
    %21 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %22 = stablehlo.reduce(%20 init: %21) applies stablehlo.add across dimensions = [1] : (tensor<2x8x2xf32>, tensor<f32>) -> tensor<2x2xf32>
    %23 = stablehlo.multiply %20, %20 : tensor<2x8x2xf32>
    %24 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %25 = stablehlo.reduce(%23 init: %24) applies stablehlo.add across dimensions = [1] : (tensor<2x8x2xf32>, tensor<f32>) -> tensor<2x2xf32>
    %26 = stablehlo.concatenate %22, %25, dim = 1 : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x4xf32>
    %sums = stablehlo.reshape %26 : (tensor<2x4xf32>) -> tensor<8xf32>
    return %encoder.layer1.0.conv1.y, %encoder.layer1.0.conv2.z, %sums : tensor<4x2x2x2xbf16>, tensor<4x2x2x2xbf16>, tensor<8xf32>
  }
}
module @online_3 {
  func.func public @main(
      %encoder.layer1.0.conv2.z: tensor<4x2x2x2xbf16>,
      %online.encoder.layer1.0.bn2.statistics: tensor<8xf32>,
      %encoder.layer1.0.bn2.weight: tensor<2xf32>,
      %encoder.layer1.0.bn2.bias: tensor<2xf32>,
      %encoder.layer1.0.conv3.weight.bf16: tensor<8x1x1x2xbf16>,
      %pooled: tensor<4x2x2x2xbf16>,
      %encoder.layer1.0.downsample.0.weight.bf16: tensor<8x1x1x2xbf16>,
      %encoder.layer1.0.bn3.running_mean: tensor<8xf32>,
      %encoder.layer1.0.downsample.1.running_mean: tensor<8xf32>
  ) -> (
      tensor<4x2x2x2xbf16>,
      tensor<4x2x2x8xbf16>,
      tensor<4x2x2x8xbf16>,
      tensor<64xf32>
  ) {
    // encoder.layer1.0.bn2: normalise
    %0 = stablehlo.convert %encoder.layer1.0.conv2.z : (tensor<4x2x2x2xbf16>) -> tensor<4x2x2x2xf32>
    %1 = stablehlo.reshape %0 : (tensor<4x2x2x2xf32>) -> tensor<2x8x2xf32>
    %2 = stablehlo.reshape %online.encoder.layer1.0.bn2.statistics : (tensor<8xf32>) -> tensor<2x4xf32>
    %3 = stablehlo.slice %2 [0:2, 0:2] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %4 = stablehlo.broadcast_in_dim %3, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x8x2xf32>
    %5 = stablehlo.subtract %1, %4 : tensor<2x8x2xf32>
    %6 = stablehlo.reshape %online.encoder.layer1.0.bn2.statistics : (tensor<8xf32>) -> tensor<2x4xf32>
    %7 = stablehlo.slice %6 [0:2, 2:4] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %8 = stablehlo.broadcast_in_dim %7, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x8x2xf32>
    %9 = stablehlo.multiply %5, %8 : tensor<2x8x2xf32>
    %10 = stablehlo.broadcast_in_dim %encoder.layer1.0.bn2.weight, dims = [2] : (tensor<2xf32>) -> tensor<2x8x2xf32>
    %11 = stablehlo.multiply %9, %10 : tensor<2x8x2xf32>
    %12 = stablehlo.broadcast_in_dim %encoder.layer1.0.bn2.bias, dims = [2] : (tensor<2xf32>) -> tensor<2x8x2xf32>
    %13 = stablehlo.add %11, %12 : tensor<2x8x2xf32>
    %14 = stablehlo.reshape %13 : (tensor<2x8x2xf32>) -> tensor<4x2x2x2xf32>
    %15 = stablehlo.constant dense<0.0e+00> : tensor<4x2x2x2xf32>
    %16 = stablehlo.maximum %14, %15 : tensor<4x2x2x2xf32>
    %encoder.layer1.0.conv2.y = stablehlo.convert %16 : (tensor<4x2x2x2xf32>) -> tensor<4x2x2x2xbf16>
    // encoder.layer1.0.conv3: 1×1, stride 1, 2 to 8 channels
    %encoder.layer1.0.conv3.z = stablehlo.convolution(%encoder.layer1.0.conv2.y, %encoder.layer1.0.conv3.weight.bf16) dim_numbers = [b, 0, 1, f]x[o, 0, 1, i]->[b, 0, 1, f], window = {stride = [1, 1], pad = [[0, 0], [0, 0]], lhs_dilate = [1, 1], rhs_dilate = [1, 1]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64} : (tensor<4x2x2x2xbf16>, tensor<8x1x1x2xbf16>) -> tensor<4x2x2x8xbf16>
    // encoder.layer1.0.downsample.0: 1×1, stride 1, 2 to 8 channels
    %encoder.layer1.0.downsample.0.z = stablehlo.convolution(%pooled, %encoder.layer1.0.downsample.0.weight.bf16) dim_numbers = [b, 0, 1, f]x[o, 0, 1, i]->[b, 0, 1, f], window = {stride = [1, 1], pad = [[0, 0], [0, 0]], lhs_dilate = [1, 1], rhs_dilate = [1, 1]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64} : (tensor<4x2x2x2xbf16>, tensor<8x1x1x2xbf16>) -> tensor<4x2x2x8xbf16>
    // encoder.layer1.0.bn3: sums of the distance from the running mean, and of its square
    %17 = stablehlo.convert %encoder.layer1.0.conv3.z : (tensor<4x2x2x8xbf16>) -> tensor<4x2x2x8xf32>
    %18 = stablehlo.reshape %17 : (tensor<4x2x2x8xf32>) -> tensor<2x8x8xf32>
    %19 = stablehlo.broadcast_in_dim %encoder.layer1.0.bn3.running_mean, dims = [2] : (tensor<8xf32>) -> tensor<2x8x8xf32>
    %20 = stablehlo.subtract %18, %19 : tensor<2x8x8xf32>
    %21 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %22 = stablehlo.reduce(%20 init: %21) applies stablehlo.add across dimensions = [1] : (tensor<2x8x8xf32>, tensor<f32>) -> tensor<2x8xf32>
    %23 = stablehlo.multiply %20, %20 : tensor<2x8x8xf32>
    %24 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %25 = stablehlo.reduce(%23 init: %24) applies stablehlo.add across dimensions = [1] : (tensor<2x8x8xf32>, tensor<f32>) -> tensor<2x8xf32>
    %26 = stablehlo.concatenate %22, %25, dim = 1 : (tensor<2x8xf32>, tensor<2x8xf32>) -> tensor<2x16xf32>
    %27 = stablehlo.reshape %26 : (tensor<2x16xf32>) -> tensor<32xf32>
    // encoder.layer1.0.downsample.1: sums of the distance from the running mean, and of its square
    %28 = stablehlo.convert %encoder.layer1.0.downsample.0.z : (tensor<4x2x2x8xbf16>) -> tensor<4x2x2x8xf32>
    %29 = stablehlo.reshape %28 : (tensor<4x2x2x8xf32>) -> tensor<2x8x8xf32>
    %30 = stablehlo.broadcast_in_dim %encoder.layer1.0.downsample.1.running_mean, dims = [2] : (tensor<8xf32>) -> tensor<2x8x8xf32>
    %31 = stablehlo.subtract %29, %30 : tensor<2x8x8xf32>
    %32 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %33 = stablehlo.reduce(%31 init: %32) applies stablehlo.add across dimensions = [1] : (tensor<2x8x8xf32>, tensor<f32>) -> tensor<2x8xf32>
    %34 = stablehlo.multiply %31, %31 : tensor<2x8x8xf32>
    %35 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %36 = stablehlo.reduce(%34 init: %35) applies stablehlo.add across dimensions = [1] : (tensor<2x8x8xf32>, tensor<f32>) -> tensor<2x8xf32>
    %37 = stablehlo.concatenate %33, %36, dim = 1 : (tensor<2x8xf32>, tensor<2x8xf32>) -> tensor<2x16xf32>
    %38 = stablehlo.reshape %37 : (tensor<2x16xf32>) -> tensor<32xf32>
    %sums = stablehlo.concatenate %27, %38, dim = 0 : (tensor<32xf32>, tensor<32xf32>) -> tensor<64xf32>
    return %encoder.layer1.0.conv2.y, %encoder.layer1.0.conv3.z, %encoder.layer1.0.downsample.0.z, %sums : tensor<4x2x2x2xbf16>, tensor<4x2x2x8xbf16>, tensor<4x2x2x8xbf16>, tensor<64xf32>
  }
}
module @online_4 {
  func.func public @main(
      %encoder.layer1.0.conv3.z: tensor<4x2x2x8xbf16>,
      %online.encoder.layer1.0.bn3.statistics: tensor<64xf32>,
      %encoder.layer1.0.bn3.weight: tensor<8xf32>,
      %encoder.layer1.0.bn3.bias: tensor<8xf32>,
      %encoder.layer1.0.downsample.0.z: tensor<4x2x2x8xbf16>,
      %encoder.layer1.0.downsample.1.weight: tensor<8xf32>,
      %encoder.layer1.0.downsample.1.bias: tensor<8xf32>,
      %projector.0.weight.bf16: tensor<6x8xbf16>,
      %projector.0.bias: tensor<6xf32>,
      %projector.1.running_mean: tensor<6xf32>
  ) -> (
      tensor<4x2x2x8xbf16>,
      tensor<4x8xf32>,
      tensor<4x8xbf16>,
      tensor<4x6xbf16>,
      tensor<24xf32>
  ) {
    // encoder.layer1.0.bn3: normalise
    %0 = stablehlo.convert %encoder.layer1.0.conv3.z : (tensor<4x2x2x8xbf16>) -> tensor<4x2x2x8xf32>
    %1 = stablehlo.reshape %0 : (tensor<4x2x2x8xf32>) -> tensor<2x8x8xf32>
    %2 = stablehlo.slice %online.encoder.layer1.0.bn3.statistics [0:32] : (tensor<64xf32>) -> tensor<32xf32>
    %3 = stablehlo.reshape %2 : (tensor<32xf32>) -> tensor<2x16xf32>
    %4 = stablehlo.slice %3 [0:2, 0:8] : (tensor<2x16xf32>) -> tensor<2x8xf32>
    %5 = stablehlo.broadcast_in_dim %4, dims = [0, 2] : (tensor<2x8xf32>) -> tensor<2x8x8xf32>
    %6 = stablehlo.subtract %1, %5 : tensor<2x8x8xf32>
    %7 = stablehlo.slice %online.encoder.layer1.0.bn3.statistics [0:32] : (tensor<64xf32>) -> tensor<32xf32>
    %8 = stablehlo.reshape %7 : (tensor<32xf32>) -> tensor<2x16xf32>
    %9 = stablehlo.slice %8 [0:2, 8:16] : (tensor<2x16xf32>) -> tensor<2x8xf32>
    %10 = stablehlo.broadcast_in_dim %9, dims = [0, 2] : (tensor<2x8xf32>) -> tensor<2x8x8xf32>
    %11 = stablehlo.multiply %6, %10 : tensor<2x8x8xf32>
    %12 = stablehlo.broadcast_in_dim %encoder.layer1.0.bn3.weight, dims = [2] : (tensor<8xf32>) -> tensor<2x8x8xf32>
    %13 = stablehlo.multiply %11, %12 : tensor<2x8x8xf32>
    %14 = stablehlo.broadcast_in_dim %encoder.layer1.0.bn3.bias, dims = [2] : (tensor<8xf32>) -> tensor<2x8x8xf32>
    %15 = stablehlo.add %13, %14 : tensor<2x8x8xf32>
    %16 = stablehlo.reshape %15 : (tensor<2x8x8xf32>) -> tensor<4x2x2x8xf32>
    // encoder.layer1.0.downsample.1: normalise
    %17 = stablehlo.convert %encoder.layer1.0.downsample.0.z : (tensor<4x2x2x8xbf16>) -> tensor<4x2x2x8xf32>
    %18 = stablehlo.reshape %17 : (tensor<4x2x2x8xf32>) -> tensor<2x8x8xf32>
    %19 = stablehlo.slice %online.encoder.layer1.0.bn3.statistics [32:64] : (tensor<64xf32>) -> tensor<32xf32>
    %20 = stablehlo.reshape %19 : (tensor<32xf32>) -> tensor<2x16xf32>
    %21 = stablehlo.slice %20 [0:2, 0:8] : (tensor<2x16xf32>) -> tensor<2x8xf32>
    %22 = stablehlo.broadcast_in_dim %21, dims = [0, 2] : (tensor<2x8xf32>) -> tensor<2x8x8xf32>
    %23 = stablehlo.subtract %18, %22 : tensor<2x8x8xf32>
    %24 = stablehlo.slice %online.encoder.layer1.0.bn3.statistics [32:64] : (tensor<64xf32>) -> tensor<32xf32>
    %25 = stablehlo.reshape %24 : (tensor<32xf32>) -> tensor<2x16xf32>
    %26 = stablehlo.slice %25 [0:2, 8:16] : (tensor<2x16xf32>) -> tensor<2x8xf32>
    %27 = stablehlo.broadcast_in_dim %26, dims = [0, 2] : (tensor<2x8xf32>) -> tensor<2x8x8xf32>
    %28 = stablehlo.multiply %23, %27 : tensor<2x8x8xf32>
    %29 = stablehlo.broadcast_in_dim %encoder.layer1.0.downsample.1.weight, dims = [2] : (tensor<8xf32>) -> tensor<2x8x8xf32>
    %30 = stablehlo.multiply %28, %29 : tensor<2x8x8xf32>
    %31 = stablehlo.broadcast_in_dim %encoder.layer1.0.downsample.1.bias, dims = [2] : (tensor<8xf32>) -> tensor<2x8x8xf32>
    %32 = stablehlo.add %30, %31 : tensor<2x8x8xf32>
    %33 = stablehlo.reshape %32 : (tensor<2x8x8xf32>) -> tensor<4x2x2x8xf32>
    %34 = stablehlo.add %16, %33 : tensor<4x2x2x8xf32>
    %35 = stablehlo.constant dense<0.0e+00> : tensor<4x2x2x8xf32>
    %36 = stablehlo.maximum %34, %35 : tensor<4x2x2x8xf32>
    %encoder.layer1.0.conv3.y = stablehlo.convert %36 : (tensor<4x2x2x8xf32>) -> tensor<4x2x2x8xbf16>
    // mean over positions
    %37 = stablehlo.convert %encoder.layer1.0.conv3.y : (tensor<4x2x2x8xbf16>) -> tensor<4x2x2x8xf32>
    %38 = stablehlo.reshape %37 : (tensor<4x2x2x8xf32>) -> tensor<4x4x8xf32>
    %39 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %40 = stablehlo.reduce(%38 init: %39) applies stablehlo.add across dimensions = [1] : (tensor<4x4x8xf32>, tensor<f32>) -> tensor<4x8xf32>
    %41 = stablehlo.constant dense<2.5e-01> : tensor<4x8xf32>
    %embedding = stablehlo.multiply %40, %41 : tensor<4x8xf32>
    %42 = stablehlo.convert %embedding : (tensor<4x8xf32>) -> tensor<4x8xbf16>
    // projector.0: 8 to 6
    %43 = stablehlo.dot_general %42, %projector.0.weight.bf16, contracting_dims = [1] x [1] : (tensor<4x8xbf16>, tensor<6x8xbf16>) -> tensor<4x6xbf16>
    %44 = stablehlo.convert %43 : (tensor<4x6xbf16>) -> tensor<4x6xf32>
    %45 = stablehlo.broadcast_in_dim %projector.0.bias, dims = [1] : (tensor<6xf32>) -> tensor<4x6xf32>
    %46 = stablehlo.add %44, %45 : tensor<4x6xf32>
    %projector.0.z = stablehlo.convert %46 : (tensor<4x6xf32>) -> tensor<4x6xbf16>
    // projector.1: sums of the distance from the running mean, and of its square
    %47 = stablehlo.convert %projector.0.z : (tensor<4x6xbf16>) -> tensor<4x6xf32>
    %48 = stablehlo.reshape %47 : (tensor<4x6xf32>) -> tensor<2x2x6xf32>
    %49 = stablehlo.broadcast_in_dim %projector.1.running_mean, dims = [2] : (tensor<6xf32>) -> tensor<2x2x6xf32>
    %50 = stablehlo.subtract %48, %49 : tensor<2x2x6xf32>
    %51 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %52 = stablehlo.reduce(%50 init: %51) applies stablehlo.add across dimensions = [1] : (tensor<2x2x6xf32>, tensor<f32>) -> tensor<2x6xf32>
    %53 = stablehlo.multiply %50, %50 : tensor<2x2x6xf32>
    %54 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %55 = stablehlo.reduce(%53 init: %54) applies stablehlo.add across dimensions = [1] : (tensor<2x2x6xf32>, tensor<f32>) -> tensor<2x6xf32>
    %56 = stablehlo.concatenate %52, %55, dim = 1 : (tensor<2x6xf32>, tensor<2x6xf32>) -> tensor<2x12xf32>
    %sums = stablehlo.reshape %56 : (tensor<2x12xf32>) -> tensor<24xf32>
    return %encoder.layer1.0.conv3.y, %embedding, %42, %projector.0.z, %sums : tensor<4x2x2x8xbf16>, tensor<4x8xf32>, tensor<4x8xbf16>, tensor<4x6xbf16>, tensor<24xf32>
  }
}
module @online_5 {
  func.func public @main(
      %projector.0.z: tensor<4x6xbf16>,
      %online.projector.1.statistics: tensor<24xf32>,
      %projector.1.weight: tensor<6xf32>,
      %projector.1.bias: tensor<6xf32>,
      %projector.3.weight.bf16: tensor<4x6xbf16>,
      %predictor.0.weight.bf16: tensor<5x4xbf16>,
      %predictor.0.bias: tensor<5xf32>,
      %predictor.1.running_mean: tensor<5xf32>
  ) -> (
      tensor<4x6xbf16>,
      tensor<4x4xbf16>,
      tensor<4x5xbf16>,
      tensor<20xf32>
  ) {
    // projector.1: normalise
    %0 = stablehlo.convert %projector.0.z : (tensor<4x6xbf16>) -> tensor<4x6xf32>
    %1 = stablehlo.reshape %0 : (tensor<4x6xf32>) -> tensor<2x2x6xf32>
    %2 = stablehlo.reshape %online.projector.1.statistics : (tensor<24xf32>) -> tensor<2x12xf32>
    %3 = stablehlo.slice %2 [0:2, 0:6] : (tensor<2x12xf32>) -> tensor<2x6xf32>
    %4 = stablehlo.broadcast_in_dim %3, dims = [0, 2] : (tensor<2x6xf32>) -> tensor<2x2x6xf32>
    %5 = stablehlo.subtract %1, %4 : tensor<2x2x6xf32>
    %6 = stablehlo.reshape %online.projector.1.statistics : (tensor<24xf32>) -> tensor<2x12xf32>
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
    %projector.0.y = stablehlo.convert %16 : (tensor<4x6xf32>) -> tensor<4x6xbf16>
    // projector.3: 6 to 4
    %projection = stablehlo.dot_general %projector.0.y, %projector.3.weight.bf16, contracting_dims = [1] x [1] : (tensor<4x6xbf16>, tensor<4x6xbf16>) -> tensor<4x4xbf16>
    // predictor.0: 4 to 5
    %17 = stablehlo.dot_general %projection, %predictor.0.weight.bf16, contracting_dims = [1] x [1] : (tensor<4x4xbf16>, tensor<5x4xbf16>) -> tensor<4x5xbf16>
    %18 = stablehlo.convert %17 : (tensor<4x5xbf16>) -> tensor<4x5xf32>
    %19 = stablehlo.broadcast_in_dim %predictor.0.bias, dims = [1] : (tensor<5xf32>) -> tensor<4x5xf32>
    %20 = stablehlo.add %18, %19 : tensor<4x5xf32>
    %predictor.0.z = stablehlo.convert %20 : (tensor<4x5xf32>) -> tensor<4x5xbf16>
    // predictor.1: sums of the distance from the running mean, and of its square
    %21 = stablehlo.convert %predictor.0.z : (tensor<4x5xbf16>) -> tensor<4x5xf32>
    %22 = stablehlo.reshape %21 : (tensor<4x5xf32>) -> tensor<2x2x5xf32>
    %23 = stablehlo.broadcast_in_dim %predictor.1.running_mean, dims = [2] : (tensor<5xf32>) -> tensor<2x2x5xf32>
    %24 = stablehlo.subtract %22, %23 : tensor<2x2x5xf32>
    %25 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %26 = stablehlo.reduce(%24 init: %25) applies stablehlo.add across dimensions = [1] : (tensor<2x2x5xf32>, tensor<f32>) -> tensor<2x5xf32>
    %27 = stablehlo.multiply %24, %24 : tensor<2x2x5xf32>
    %28 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %29 = stablehlo.reduce(%27 init: %28) applies stablehlo.add across dimensions = [1] : (tensor<2x2x5xf32>, tensor<f32>) -> tensor<2x5xf32>
    %30 = stablehlo.concatenate %26, %29, dim = 1 : (tensor<2x5xf32>, tensor<2x5xf32>) -> tensor<2x10xf32>
    %sums = stablehlo.reshape %30 : (tensor<2x10xf32>) -> tensor<20xf32>
    return %projector.0.y, %projection, %predictor.0.z, %sums : tensor<4x6xbf16>, tensor<4x4xbf16>, tensor<4x5xbf16>, tensor<20xf32>
  }
}
module @online_6 {
  func.func public @main(
      %predictor.0.z: tensor<4x5xbf16>,
      %online.predictor.1.statistics: tensor<20xf32>,
      %predictor.1.weight: tensor<5xf32>,
      %predictor.1.bias: tensor<5xf32>,
      %predictor.3.weight.bf16: tensor<4x5xbf16>
  ) -> (
      tensor<4x5xbf16>,
      tensor<4x4xbf16>
  ) {
    // predictor.1: normalise
    %0 = stablehlo.convert %predictor.0.z : (tensor<4x5xbf16>) -> tensor<4x5xf32>
    %1 = stablehlo.reshape %0 : (tensor<4x5xf32>) -> tensor<2x2x5xf32>
    %2 = stablehlo.reshape %online.predictor.1.statistics : (tensor<20xf32>) -> tensor<2x10xf32>
    %3 = stablehlo.slice %2 [0:2, 0:5] : (tensor<2x10xf32>) -> tensor<2x5xf32>
    %4 = stablehlo.broadcast_in_dim %3, dims = [0, 2] : (tensor<2x5xf32>) -> tensor<2x2x5xf32>
    %5 = stablehlo.subtract %1, %4 : tensor<2x2x5xf32>
    %6 = stablehlo.reshape %online.predictor.1.statistics : (tensor<20xf32>) -> tensor<2x10xf32>
    %7 = stablehlo.slice %6 [0:2, 5:10] : (tensor<2x10xf32>) -> tensor<2x5xf32>
    %8 = stablehlo.broadcast_in_dim %7, dims = [0, 2] : (tensor<2x5xf32>) -> tensor<2x2x5xf32>
    %9 = stablehlo.multiply %5, %8 : tensor<2x2x5xf32>
    %10 = stablehlo.broadcast_in_dim %predictor.1.weight, dims = [2] : (tensor<5xf32>) -> tensor<2x2x5xf32>
    %11 = stablehlo.multiply %9, %10 : tensor<2x2x5xf32>
    %12 = stablehlo.broadcast_in_dim %predictor.1.bias, dims = [2] : (tensor<5xf32>) -> tensor<2x2x5xf32>
    %13 = stablehlo.add %11, %12 : tensor<2x2x5xf32>
    %14 = stablehlo.reshape %13 : (tensor<2x2x5xf32>) -> tensor<4x5xf32>
    %15 = stablehlo.constant dense<0.0e+00> : tensor<4x5xf32>
    %16 = stablehlo.maximum %14, %15 : tensor<4x5xf32>
    %predictor.0.y = stablehlo.convert %16 : (tensor<4x5xf32>) -> tensor<4x5xbf16>
    // predictor.3: 5 to 4
    %prediction = stablehlo.dot_general %predictor.0.y, %predictor.3.weight.bf16, contracting_dims = [1] x [1] : (tensor<4x5xbf16>, tensor<4x5xbf16>) -> tensor<4x4xbf16>
    return %predictor.0.y, %prediction : tensor<4x5xbf16>, tensor<4x4xbf16>
  }
}
module @target_0 {
  func.func public @main(
      %images: tensor<4x8x8x3xbf16>,
      %encoder.conv1.weight.bf16: tensor<2x7x7x3xbf16>,
      %encoder.bn1.running_mean: tensor<2xf32>
  ) -> (
      tensor<4x4x4x2xbf16>,
      tensor<8xf32>
  ) {
    // encoder.conv1: 7×7, stride 2, 3 to 2 channels
    %0 = stablehlo.convolution(%images, %encoder.conv1.weight.bf16) dim_numbers = [b, 0, 1, f]x[o, 0, 1, i]->[b, 0, 1, f], window = {stride = [2, 2], pad = [[2, 3], [2, 3]], lhs_dilate = [1, 1], rhs_dilate = [1, 1]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64} : (tensor<4x8x8x3xbf16>, tensor<2x7x7x3xbf16>) -> tensor<4x4x4x2xbf16>
    // encoder.bn1: sums of the distance from the running mean, and of its square
    %1 = stablehlo.convert %0 : (tensor<4x4x4x2xbf16>) -> tensor<4x4x4x2xf32>
    %2 = stablehlo.reshape %1 : (tensor<4x4x4x2xf32>) -> tensor<2x32x2xf32>
    %3 = stablehlo.broadcast_in_dim %encoder.bn1.running_mean, dims = [2] : (tensor<2xf32>) -> tensor<2x32x2xf32>
    %4 = stablehlo.subtract %2, %3 : tensor<2x32x2xf32>
    %5 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %6 = stablehlo.reduce(%4 init: %5) applies stablehlo.add across dimensions = [1] : (tensor<2x32x2xf32>, tensor<f32>) -> tensor<2x2xf32>
    %7 = stablehlo.multiply %4, %4 : tensor<2x32x2xf32>
    %8 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %9 = stablehlo.reduce(%7 init: %8) applies stablehlo.add across dimensions = [1] : (tensor<2x32x2xf32>, tensor<f32>) -> tensor<2x2xf32>
    %10 = stablehlo.concatenate %6, %9, dim = 1 : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x4xf32>
    %sums = stablehlo.reshape %10 : (tensor<2x4xf32>) -> tensor<8xf32>
    return %0, %sums : tensor<4x4x4x2xbf16>, tensor<8xf32>
  }
}
module @target_1 {
  func.func public @main(
      %0: tensor<4x4x4x2xbf16>,
      %target.encoder.bn1.statistics: tensor<8xf32>,
      %encoder.bn1.weight: tensor<2xf32>,
      %encoder.bn1.bias: tensor<2xf32>,
      %encoder.layer1.0.conv1.weight.bf16: tensor<2x1x1x2xbf16>,
      %encoder.layer1.0.bn1.running_mean: tensor<2xf32>
  ) -> (
      tensor<4x2x2x2xbf16>,
      tensor<4x2x2x2xbf16>,
      tensor<8xf32>
  ) {
    // encoder.bn1: normalise
    %1 = stablehlo.convert %0 : (tensor<4x4x4x2xbf16>) -> tensor<4x4x4x2xf32>
    %2 = stablehlo.reshape %1 : (tensor<4x4x4x2xf32>) -> tensor<2x32x2xf32>
    %3 = stablehlo.reshape %target.encoder.bn1.statistics : (tensor<8xf32>) -> tensor<2x4xf32>
    %4 = stablehlo.slice %3 [0:2, 0:2] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %5 = stablehlo.broadcast_in_dim %4, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x32x2xf32>
    %6 = stablehlo.subtract %2, %5 : tensor<2x32x2xf32>
    %7 = stablehlo.reshape %target.encoder.bn1.statistics : (tensor<8xf32>) -> tensor<2x4xf32>
    %8 = stablehlo.slice %7 [0:2, 2:4] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %9 = stablehlo.broadcast_in_dim %8, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x32x2xf32>
    %10 = stablehlo.multiply %6, %9 : tensor<2x32x2xf32>
    %11 = stablehlo.broadcast_in_dim %encoder.bn1.weight, dims = [2] : (tensor<2xf32>) -> tensor<2x32x2xf32>
    %12 = stablehlo.multiply %10, %11 : tensor<2x32x2xf32>
    %13 = stablehlo.broadcast_in_dim %encoder.bn1.bias, dims = [2] : (tensor<2xf32>) -> tensor<2x32x2xf32>
    %14 = stablehlo.add %12, %13 : tensor<2x32x2xf32>
    %15 = stablehlo.reshape %14 : (tensor<2x32x2xf32>) -> tensor<4x4x4x2xf32>
    %16 = stablehlo.constant dense<0.0e+00> : tensor<4x4x4x2xf32>
    %17 = stablehlo.maximum %15, %16 : tensor<4x4x4x2xf32>
    %18 = stablehlo.convert %17 : (tensor<4x4x4x2xf32>) -> tensor<4x4x4x2xbf16>
    // max pooling
    %19 = stablehlo.constant dense<0xFF80> : tensor<bf16>
    %20 = "stablehlo.reduce_window"(%18, %19) ({
    ^bb0(%a: tensor<bf16>, %b: tensor<bf16>):
      %m = stablehlo.maximum %a, %b : tensor<bf16>
      stablehlo.return %m : tensor<bf16>
    }) {window_dimensions = array<i64: 1, 3, 3, 1>, window_strides = array<i64: 1, 2, 2, 1>, padding = dense<[[0, 0], [0, 1], [0, 1], [0, 0]]> : tensor<4x2xi64>} : (tensor<4x4x4x2xbf16>, tensor<bf16>) -> tensor<4x2x2x2xbf16>
    // encoder.layer1.0.conv1: 1×1, stride 1, 2 to 2 channels
    %21 = stablehlo.convolution(%20, %encoder.layer1.0.conv1.weight.bf16) dim_numbers = [b, 0, 1, f]x[o, 0, 1, i]->[b, 0, 1, f], window = {stride = [1, 1], pad = [[0, 0], [0, 0]], lhs_dilate = [1, 1], rhs_dilate = [1, 1]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64} : (tensor<4x2x2x2xbf16>, tensor<2x1x1x2xbf16>) -> tensor<4x2x2x2xbf16>
    // encoder.layer1.0.bn1: sums of the distance from the running mean, and of its square
    %22 = stablehlo.convert %21 : (tensor<4x2x2x2xbf16>) -> tensor<4x2x2x2xf32>
    %23 = stablehlo.reshape %22 : (tensor<4x2x2x2xf32>) -> tensor<2x8x2xf32>
    %24 = stablehlo.broadcast_in_dim %encoder.layer1.0.bn1.running_mean, dims = [2] : (tensor<2xf32>) -> tensor<2x8x2xf32>
    %25 = stablehlo.subtract %23, %24 : tensor<2x8x2xf32>
    %26 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %27 = stablehlo.reduce(%25 init: %26) applies stablehlo.add across dimensions = [1] : (tensor<2x8x2xf32>, tensor<f32>) -> tensor<2x2xf32>
    %28 = stablehlo.multiply %25, %25 : tensor<2x8x2xf32>
    %29 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %30 = stablehlo.reduce(%28 init: %29) applies stablehlo.add across dimensions = [1] : (tensor<2x8x2xf32>, tensor<f32>) -> tensor<2x2xf32>
    %31 = stablehlo.concatenate %27, %30, dim = 1 : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x4xf32>
    %sums = stablehlo.reshape %31 : (tensor<2x4xf32>) -> tensor<8xf32>
    return %20, %21, %sums : tensor<4x2x2x2xbf16>, tensor<4x2x2x2xbf16>, tensor<8xf32>
  }
}
module @target_2 {
  func.func public @main(
      %0: tensor<4x2x2x2xbf16> {tf.aliasing_output = 0 : i32},
      %target.encoder.layer1.0.bn1.statistics: tensor<8xf32>,
      %encoder.layer1.0.bn1.weight: tensor<2xf32>,
      %encoder.layer1.0.bn1.bias: tensor<2xf32>,
      %encoder.layer1.0.conv2.weight.bf16: tensor<2x3x3x2xbf16>,
      %encoder.layer1.0.bn2.running_mean: tensor<2xf32>
  ) -> (
      tensor<4x2x2x2xbf16>,
      tensor<8xf32>
  ) {
    // encoder.layer1.0.bn1: normalise
    %1 = stablehlo.convert %0 : (tensor<4x2x2x2xbf16>) -> tensor<4x2x2x2xf32>
    %2 = stablehlo.reshape %1 : (tensor<4x2x2x2xf32>) -> tensor<2x8x2xf32>
    %3 = stablehlo.reshape %target.encoder.layer1.0.bn1.statistics : (tensor<8xf32>) -> tensor<2x4xf32>
    %4 = stablehlo.slice %3 [0:2, 0:2] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %5 = stablehlo.broadcast_in_dim %4, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x8x2xf32>
    %6 = stablehlo.subtract %2, %5 : tensor<2x8x2xf32>
    %7 = stablehlo.reshape %target.encoder.layer1.0.bn1.statistics : (tensor<8xf32>) -> tensor<2x4xf32>
    %8 = stablehlo.slice %7 [0:2, 2:4] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %9 = stablehlo.broadcast_in_dim %8, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x8x2xf32>
    %10 = stablehlo.multiply %6, %9 : tensor<2x8x2xf32>
    %11 = stablehlo.broadcast_in_dim %encoder.layer1.0.bn1.weight, dims = [2] : (tensor<2xf32>) -> tensor<2x8x2xf32>
    %12 = stablehlo.multiply %10, %11 : tensor<2x8x2xf32>
    %13 = stablehlo.broadcast_in_dim %encoder.layer1.0.bn1.bias, dims = [2] : (tensor<2xf32>) -> tensor<2x8x2xf32>
    %14 = stablehlo.add %12, %13 : tensor<2x8x2xf32>
    %15 = stablehlo.reshape %14 : (tensor<2x8x2xf32>) -> tensor<4x2x2x2xf32>
    %16 = stablehlo.constant dense<0.0e+00> : tensor<4x2x2x2xf32>
    %17 = stablehlo.maximum %15, %16 : tensor<4x2x2x2xf32>
    %18 = stablehlo.convert %17 : (tensor<4x2x2x2xf32>) -> tensor<4x2x2x2xbf16>
    // encoder.layer1.0.conv2: 3×3, stride 1, 2 to 2 channels
    %19 = stablehlo.convolution(%18, %encoder.layer1.0.conv2.weight.bf16) dim_numbers = [b, 0, 1, f]x[o, 0, 1, i]->[b, 0, 1, f], window = {stride = [1, 1], pad = [[1, 1], [1, 1]], lhs_dilate = [1, 1], rhs_dilate = [1, 1]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64} : (tensor<4x2x2x2xbf16>, tensor<2x3x3x2xbf16>) -> tensor<4x2x2x2xbf16>
    // encoder.layer1.0.bn2: sums of the distance from the running mean, and of its square
    %20 = stablehlo.convert %19 : (tensor<4x2x2x2xbf16>) -> tensor<4x2x2x2xf32>
    %21 = stablehlo.reshape %20 : (tensor<4x2x2x2xf32>) -> tensor<2x8x2xf32>
    %22 = stablehlo.broadcast_in_dim %encoder.layer1.0.bn2.running_mean, dims = [2] : (tensor<2xf32>) -> tensor<2x8x2xf32>
    %23 = stablehlo.subtract %21, %22 : tensor<2x8x2xf32>
    %24 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %25 = stablehlo.reduce(%23 init: %24) applies stablehlo.add across dimensions = [1] : (tensor<2x8x2xf32>, tensor<f32>) -> tensor<2x2xf32>
    %26 = stablehlo.multiply %23, %23 : tensor<2x8x2xf32>
    %27 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %28 = stablehlo.reduce(%26 init: %27) applies stablehlo.add across dimensions = [1] : (tensor<2x8x2xf32>, tensor<f32>) -> tensor<2x2xf32>
    %29 = stablehlo.concatenate %25, %28, dim = 1 : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x4xf32>
    %sums = stablehlo.reshape %29 : (tensor<2x4xf32>) -> tensor<8xf32>
    return %19, %sums : tensor<4x2x2x2xbf16>, tensor<8xf32>
  }
}
module @target_3 {
  func.func public @main(
      %0: tensor<4x2x2x2xbf16>,
      %target.encoder.layer1.0.bn2.statistics: tensor<8xf32>,
      %encoder.layer1.0.bn2.weight: tensor<2xf32>,
      %encoder.layer1.0.bn2.bias: tensor<2xf32>,
      %encoder.layer1.0.conv3.weight.bf16: tensor<8x1x1x2xbf16>,
      %1: tensor<4x2x2x2xbf16>,
      %encoder.layer1.0.downsample.0.weight.bf16: tensor<8x1x1x2xbf16>,
      %encoder.layer1.0.bn3.running_mean: tensor<8xf32>,
      %encoder.layer1.0.downsample.1.running_mean: tensor<8xf32>
  ) -> (
      tensor<4x2x2x8xbf16>,
      tensor<4x2x2x8xbf16>,
      tensor<64xf32>
  ) {
    // encoder.layer1.0.bn2: normalise
    %2 = stablehlo.convert %0 : (tensor<4x2x2x2xbf16>) -> tensor<4x2x2x2xf32>
    %3 = stablehlo.reshape %2 : (tensor<4x2x2x2xf32>) -> tensor<2x8x2xf32>
    %4 = stablehlo.reshape %target.encoder.layer1.0.bn2.statistics : (tensor<8xf32>) -> tensor<2x4xf32>
    %5 = stablehlo.slice %4 [0:2, 0:2] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %6 = stablehlo.broadcast_in_dim %5, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x8x2xf32>
    %7 = stablehlo.subtract %3, %6 : tensor<2x8x2xf32>
    %8 = stablehlo.reshape %target.encoder.layer1.0.bn2.statistics : (tensor<8xf32>) -> tensor<2x4xf32>
    %9 = stablehlo.slice %8 [0:2, 2:4] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %10 = stablehlo.broadcast_in_dim %9, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x8x2xf32>
    %11 = stablehlo.multiply %7, %10 : tensor<2x8x2xf32>
    %12 = stablehlo.broadcast_in_dim %encoder.layer1.0.bn2.weight, dims = [2] : (tensor<2xf32>) -> tensor<2x8x2xf32>
    %13 = stablehlo.multiply %11, %12 : tensor<2x8x2xf32>
    %14 = stablehlo.broadcast_in_dim %encoder.layer1.0.bn2.bias, dims = [2] : (tensor<2xf32>) -> tensor<2x8x2xf32>
    %15 = stablehlo.add %13, %14 : tensor<2x8x2xf32>
    %16 = stablehlo.reshape %15 : (tensor<2x8x2xf32>) -> tensor<4x2x2x2xf32>
    %17 = stablehlo.constant dense<0.0e+00> : tensor<4x2x2x2xf32>
    %18 = stablehlo.maximum %16, %17 : tensor<4x2x2x2xf32>
    %19 = stablehlo.convert %18 : (tensor<4x2x2x2xf32>) -> tensor<4x2x2x2xbf16>
    // encoder.layer1.0.conv3: 1×1, stride 1, 2 to 8 channels
    %20 = stablehlo.convolution(%19, %encoder.layer1.0.conv3.weight.bf16) dim_numbers = [b, 0, 1, f]x[o, 0, 1, i]->[b, 0, 1, f], window = {stride = [1, 1], pad = [[0, 0], [0, 0]], lhs_dilate = [1, 1], rhs_dilate = [1, 1]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64} : (tensor<4x2x2x2xbf16>, tensor<8x1x1x2xbf16>) -> tensor<4x2x2x8xbf16>
    // encoder.layer1.0.downsample.0: 1×1, stride 1, 2 to 8 channels
    %21 = stablehlo.convolution(%1, %encoder.layer1.0.downsample.0.weight.bf16) dim_numbers = [b, 0, 1, f]x[o, 0, 1, i]->[b, 0, 1, f], window = {stride = [1, 1], pad = [[0, 0], [0, 0]], lhs_dilate = [1, 1], rhs_dilate = [1, 1]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64} : (tensor<4x2x2x2xbf16>, tensor<8x1x1x2xbf16>) -> tensor<4x2x2x8xbf16>
    // encoder.layer1.0.bn3: sums of the distance from the running mean, and of its square
    %22 = stablehlo.convert %20 : (tensor<4x2x2x8xbf16>) -> tensor<4x2x2x8xf32>
    %23 = stablehlo.reshape %22 : (tensor<4x2x2x8xf32>) -> tensor<2x8x8xf32>
    %24 = stablehlo.broadcast_in_dim %encoder.layer1.0.bn3.running_mean, dims = [2] : (tensor<8xf32>) -> tensor<2x8x8xf32>
    %25 = stablehlo.subtract %23, %24 : tensor<2x8x8xf32>
    %26 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %27 = stablehlo.reduce(%25 init: %26) applies stablehlo.add across dimensions = [1] : (tensor<2x8x8xf32>, tensor<f32>) -> tensor<2x8xf32>
    %28 = stablehlo.multiply %25, %25 : tensor<2x8x8xf32>
    %29 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %30 = stablehlo.reduce(%28 init: %29) applies stablehlo.add across dimensions = [1] : (tensor<2x8x8xf32>, tensor<f32>) -> tensor<2x8xf32>
    %31 = stablehlo.concatenate %27, %30, dim = 1 : (tensor<2x8xf32>, tensor<2x8xf32>) -> tensor<2x16xf32>
    %32 = stablehlo.reshape %31 : (tensor<2x16xf32>) -> tensor<32xf32>
    // encoder.layer1.0.downsample.1: sums of the distance from the running mean, and of its square
    %33 = stablehlo.convert %21 : (tensor<4x2x2x8xbf16>) -> tensor<4x2x2x8xf32>
    %34 = stablehlo.reshape %33 : (tensor<4x2x2x8xf32>) -> tensor<2x8x8xf32>
    %35 = stablehlo.broadcast_in_dim %encoder.layer1.0.downsample.1.running_mean, dims = [2] : (tensor<8xf32>) -> tensor<2x8x8xf32>
    %36 = stablehlo.subtract %34, %35 : tensor<2x8x8xf32>
    %37 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %38 = stablehlo.reduce(%36 init: %37) applies stablehlo.add across dimensions = [1] : (tensor<2x8x8xf32>, tensor<f32>) -> tensor<2x8xf32>
    %39 = stablehlo.multiply %36, %36 : tensor<2x8x8xf32>
    %40 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %41 = stablehlo.reduce(%39 init: %40) applies stablehlo.add across dimensions = [1] : (tensor<2x8x8xf32>, tensor<f32>) -> tensor<2x8xf32>
    %42 = stablehlo.concatenate %38, %41, dim = 1 : (tensor<2x8xf32>, tensor<2x8xf32>) -> tensor<2x16xf32>
    %43 = stablehlo.reshape %42 : (tensor<2x16xf32>) -> tensor<32xf32>
    %sums = stablehlo.concatenate %32, %43, dim = 0 : (tensor<32xf32>, tensor<32xf32>) -> tensor<64xf32>
    return %20, %21, %sums : tensor<4x2x2x8xbf16>, tensor<4x2x2x8xbf16>, tensor<64xf32>
  }
}
module @target_4 {
  func.func public @main(
      %0: tensor<4x2x2x8xbf16>,
      %target.encoder.layer1.0.bn3.statistics: tensor<64xf32>,
      %encoder.layer1.0.bn3.weight: tensor<8xf32>,
      %encoder.layer1.0.bn3.bias: tensor<8xf32>,
      %1: tensor<4x2x2x8xbf16>,
      %encoder.layer1.0.downsample.1.weight: tensor<8xf32>,
      %encoder.layer1.0.downsample.1.bias: tensor<8xf32>,
      %projector.0.weight.bf16: tensor<6x8xbf16>,
      %projector.0.bias: tensor<6xf32>,
      %projector.1.running_mean: tensor<6xf32>
  ) -> (
      tensor<4x6xbf16>,
      tensor<24xf32>
  ) {
    // encoder.layer1.0.bn3: normalise
    %2 = stablehlo.convert %0 : (tensor<4x2x2x8xbf16>) -> tensor<4x2x2x8xf32>
    %3 = stablehlo.reshape %2 : (tensor<4x2x2x8xf32>) -> tensor<2x8x8xf32>
    %4 = stablehlo.slice %target.encoder.layer1.0.bn3.statistics [0:32] : (tensor<64xf32>) -> tensor<32xf32>
    %5 = stablehlo.reshape %4 : (tensor<32xf32>) -> tensor<2x16xf32>
    %6 = stablehlo.slice %5 [0:2, 0:8] : (tensor<2x16xf32>) -> tensor<2x8xf32>
    %7 = stablehlo.broadcast_in_dim %6, dims = [0, 2] : (tensor<2x8xf32>) -> tensor<2x8x8xf32>
    %8 = stablehlo.subtract %3, %7 : tensor<2x8x8xf32>
    %9 = stablehlo.slice %target.encoder.layer1.0.bn3.statistics [0:32] : (tensor<64xf32>) -> tensor<32xf32>
    %10 = stablehlo.reshape %9 : (tensor<32xf32>) -> tensor<2x16xf32>
    %11 = stablehlo.slice %10 [0:2, 8:16] : (tensor<2x16xf32>) -> tensor<2x8xf32>
    %12 = stablehlo.broadcast_in_dim %11, dims = [0, 2] : (tensor<2x8xf32>) -> tensor<2x8x8xf32>
    %13 = stablehlo.multiply %8, %12 : tensor<2x8x8xf32>
    %14 = stablehlo.broadcast_in_dim %encoder.layer1.0.bn3.weight, dims = [2] : (tensor<8xf32>) -> tensor<2x8x8xf32>
    %15 = stablehlo.multiply %13, %14 : tensor<2x8x8xf32>
    %16 = stablehlo.broadcast_in_dim %encoder.layer1.0.bn3.bias, dims = [2] : (tensor<8xf32>) -> tensor<2x8x8xf32>
    %17 = stablehlo.add %15, %16 : tensor<2x8x8xf32>
    %18 = stablehlo.reshape %17 : (tensor<2x8x8xf32>) -> tensor<4x2x2x8xf32>
    // encoder.layer1.0.downsample.1: normalise
    %19 = stablehlo.convert %1 : (tensor<4x2x2x8xbf16>) -> tensor<4x2x2x8xf32>
    %20 = stablehlo.reshape %19 : (tensor<4x2x2x8xf32>) -> tensor<2x8x8xf32>
    %21 = stablehlo.slice %target.encoder.layer1.0.bn3.statistics [32:64] : (tensor<64xf32>) -> tensor<32xf32>
    %22 = stablehlo.reshape %21 : (tensor<32xf32>) -> tensor<2x16xf32>
    %23 = stablehlo.slice %22 [0:2, 0:8] : (tensor<2x16xf32>) -> tensor<2x8xf32>
    %24 = stablehlo.broadcast_in_dim %23, dims = [0, 2] : (tensor<2x8xf32>) -> tensor<2x8x8xf32>
    %25 = stablehlo.subtract %20, %24 : tensor<2x8x8xf32>
    %26 = stablehlo.slice %target.encoder.layer1.0.bn3.statistics [32:64] : (tensor<64xf32>) -> tensor<32xf32>
    %27 = stablehlo.reshape %26 : (tensor<32xf32>) -> tensor<2x16xf32>
    %28 = stablehlo.slice %27 [0:2, 8:16] : (tensor<2x16xf32>) -> tensor<2x8xf32>
    %29 = stablehlo.broadcast_in_dim %28, dims = [0, 2] : (tensor<2x8xf32>) -> tensor<2x8x8xf32>
    %30 = stablehlo.multiply %25, %29 : tensor<2x8x8xf32>
    %31 = stablehlo.broadcast_in_dim %encoder.layer1.0.downsample.1.weight, dims = [2] : (tensor<8xf32>) -> tensor<2x8x8xf32>
    %32 = stablehlo.multiply %30, %31 : tensor<2x8x8xf32>
    %33 = stablehlo.broadcast_in_dim %encoder.layer1.0.downsample.1.bias, dims = [2] : (tensor<8xf32>) -> tensor<2x8x8xf32>
    %34 = stablehlo.add %32, %33 : tensor<2x8x8xf32>
    %35 = stablehlo.reshape %34 : (tensor<2x8x8xf32>) -> tensor<4x2x2x8xf32>
    %36 = stablehlo.add %18, %35 : tensor<4x2x2x8xf32>
    %37 = stablehlo.constant dense<0.0e+00> : tensor<4x2x2x8xf32>
    %38 = stablehlo.maximum %36, %37 : tensor<4x2x2x8xf32>
    %39 = stablehlo.convert %38 : (tensor<4x2x2x8xf32>) -> tensor<4x2x2x8xbf16>
    // mean over positions
    %40 = stablehlo.convert %39 : (tensor<4x2x2x8xbf16>) -> tensor<4x2x2x8xf32>
    %41 = stablehlo.reshape %40 : (tensor<4x2x2x8xf32>) -> tensor<4x4x8xf32>
    %42 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %43 = stablehlo.reduce(%41 init: %42) applies stablehlo.add across dimensions = [1] : (tensor<4x4x8xf32>, tensor<f32>) -> tensor<4x8xf32>
    %44 = stablehlo.constant dense<2.5e-01> : tensor<4x8xf32>
    %45 = stablehlo.multiply %43, %44 : tensor<4x8xf32>
    %46 = stablehlo.convert %45 : (tensor<4x8xf32>) -> tensor<4x8xbf16>
    // projector.0: 8 to 6
    %47 = stablehlo.dot_general %46, %projector.0.weight.bf16, contracting_dims = [1] x [1] : (tensor<4x8xbf16>, tensor<6x8xbf16>) -> tensor<4x6xbf16>
    %48 = stablehlo.convert %47 : (tensor<4x6xbf16>) -> tensor<4x6xf32>
    %49 = stablehlo.broadcast_in_dim %projector.0.bias, dims = [1] : (tensor<6xf32>) -> tensor<4x6xf32>
    %50 = stablehlo.add %48, %49 : tensor<4x6xf32>
    %51 = stablehlo.convert %50 : (tensor<4x6xf32>) -> tensor<4x6xbf16>
    // projector.1: sums of the distance from the running mean, and of its square
    %52 = stablehlo.convert %51 : (tensor<4x6xbf16>) -> tensor<4x6xf32>
    %53 = stablehlo.reshape %52 : (tensor<4x6xf32>) -> tensor<2x2x6xf32>
    %54 = stablehlo.broadcast_in_dim %projector.1.running_mean, dims = [2] : (tensor<6xf32>) -> tensor<2x2x6xf32>
    %55 = stablehlo.subtract %53, %54 : tensor<2x2x6xf32>
    %56 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %57 = stablehlo.reduce(%55 init: %56) applies stablehlo.add across dimensions = [1] : (tensor<2x2x6xf32>, tensor<f32>) -> tensor<2x6xf32>
    %58 = stablehlo.multiply %55, %55 : tensor<2x2x6xf32>
    %59 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %60 = stablehlo.reduce(%58 init: %59) applies stablehlo.add across dimensions = [1] : (tensor<2x2x6xf32>, tensor<f32>) -> tensor<2x6xf32>
    %61 = stablehlo.concatenate %57, %60, dim = 1 : (tensor<2x6xf32>, tensor<2x6xf32>) -> tensor<2x12xf32>
    %sums = stablehlo.reshape %61 : (tensor<2x12xf32>) -> tensor<24xf32>
    return %51, %sums : tensor<4x6xbf16>, tensor<24xf32>
  }
}
module @target_5 {
  func.func public @main(
      %0: tensor<4x6xbf16>,
      %target.projector.1.statistics: tensor<24xf32>,
      %projector.1.weight: tensor<6xf32>,
      %projector.1.bias: tensor<6xf32>,
      %projector.3.weight.bf16: tensor<4x6xbf16>
  ) -> (
      tensor<4x4xbf16>
  ) {
    // projector.1: normalise
    %1 = stablehlo.convert %0 : (tensor<4x6xbf16>) -> tensor<4x6xf32>
    %2 = stablehlo.reshape %1 : (tensor<4x6xf32>) -> tensor<2x2x6xf32>
    %3 = stablehlo.reshape %target.projector.1.statistics : (tensor<24xf32>) -> tensor<2x12xf32>
    %4 = stablehlo.slice %3 [0:2, 0:6] : (tensor<2x12xf32>) -> tensor<2x6xf32>
    %5 = stablehlo.broadcast_in_dim %4, dims = [0, 2] : (tensor<2x6xf32>) -> tensor<2x2x6xf32>
    %6 = stablehlo.subtract %2, %5 : tensor<2x2x6xf32>
    %7 = stablehlo.reshape %target.projector.1.statistics : (tensor<24xf32>) -> tensor<2x12xf32>
    %8 = stablehlo.slice %7 [0:2, 6:12] : (tensor<2x12xf32>) -> tensor<2x6xf32>
    %9 = stablehlo.broadcast_in_dim %8, dims = [0, 2] : (tensor<2x6xf32>) -> tensor<2x2x6xf32>
    %10 = stablehlo.multiply %6, %9 : tensor<2x2x6xf32>
    %11 = stablehlo.broadcast_in_dim %projector.1.weight, dims = [2] : (tensor<6xf32>) -> tensor<2x2x6xf32>
    %12 = stablehlo.multiply %10, %11 : tensor<2x2x6xf32>
    %13 = stablehlo.broadcast_in_dim %projector.1.bias, dims = [2] : (tensor<6xf32>) -> tensor<2x2x6xf32>
    %14 = stablehlo.add %12, %13 : tensor<2x2x6xf32>
    %15 = stablehlo.reshape %14 : (tensor<2x2x6xf32>) -> tensor<4x6xf32>
    %16 = stablehlo.constant dense<0.0e+00> : tensor<4x6xf32>
    %17 = stablehlo.maximum %15, %16 : tensor<4x6xf32>
    %18 = stablehlo.convert %17 : (tensor<4x6xf32>) -> tensor<4x6xbf16>
    // projector.3: 6 to 4
    %target.projection = stablehlo.dot_general %18, %projector.3.weight.bf16, contracting_dims = [1] x [1] : (tensor<4x6xbf16>, tensor<4x6xbf16>) -> tensor<4x4xbf16>
    return %target.projection : tensor<4x4xbf16>
  }
}
module @losses {
  func.func public @main(
      %prediction: tensor<4x4xbf16>,
      %projection: tensor<4x4xbf16>,
      %target.projection: tensor<4x4xbf16>,
      %scale: tensor<f32>,
      %embedding: tensor<4x8xf32>,
      %classifier.weight.bf16: tensor<3x8xbf16>,
      %classifier.bias: tensor<3xf32>,
      %labels: tensor<2xi32>
  ) -> (
      tensor<4x4xbf16>,
      tensor<2x3xf32>,
      tensor<3x8xf32>,
      tensor<3xf32>,
      tensor<24xf32>
  ) {
    %0 = stablehlo.convert %prediction : (tensor<4x4xbf16>) -> tensor<4x4xf32>
    %1 = stablehlo.convert %projection : (tensor<4x4xbf16>) -> tensor<4x4xf32>
    %2 = stablehlo.convert %target.projection : (tensor<4x4xbf16>) -> tensor<4x4xf32>
    // ‖p̂−ẑ‖² of each view's prediction and the other's target
    %3 = stablehlo.slice %2 [2:4, 0:4] : (tensor<4x4xf32>) -> tensor<2x4xf32>
    %4 = stablehlo.slice %2 [0:2, 0:4] : (tensor<4x4xf32>) -> tensor<2x4xf32>
    %5 = stablehlo.concatenate %3, %4, dim = 0 : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<4x4xf32>
    %6 = stablehlo.multiply %0, %0 : tensor<4x4xf32>
    %7 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %8 = stablehlo.reduce(%6 init: %7) applies stablehlo.add across dimensions = [1] : (tensor<4x4xf32>, tensor<f32>) -> tensor<4xf32>
    %9 = stablehlo.constant dense<1.0e-12> : tensor<4xf32>
    %10 = stablehlo.maximum %8, %9 : tensor<4xf32>
    %11 = stablehlo.rsqrt %10 : tensor<4xf32>
    %12 = stablehlo.broadcast_in_dim %11, dims = [0] : (tensor<4xf32>) -> tensor<4x4xf32>
    %13 = stablehlo.multiply %0, %12 : tensor<4x4xf32>
    %14 = stablehlo.constant dense<1.0e-12> : tensor<4xf32>
    %15 = stablehlo.compare LT, %8, %14, FLOAT : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xi1>
    %16 = stablehlo.not %15 : tensor<4xi1>
    %17 = stablehlo.multiply %5, %5 : tensor<4x4xf32>
    %18 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %19 = stablehlo.reduce(%17 init: %18) applies stablehlo.add across dimensions = [1] : (tensor<4x4xf32>, tensor<f32>) -> tensor<4xf32>
    %20 = stablehlo.constant dense<1.0e-12> : tensor<4xf32>
    %21 = stablehlo.maximum %19, %20 : tensor<4xf32>
    %22 = stablehlo.rsqrt %21 : tensor<4xf32>
    %23 = stablehlo.broadcast_in_dim %22, dims = [0] : (tensor<4xf32>) -> tensor<4x4xf32>
    %24 = stablehlo.multiply %5, %23 : tensor<4x4xf32>
    %25 = stablehlo.constant dense<1.0e-12> : tensor<4xf32>
    %26 = stablehlo.compare LT, %19, %25, FLOAT : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xi1>
    %27 = stablehlo.not %26 : tensor<4xi1>
    %28 = stablehlo.subtract %13, %24 : tensor<4x4xf32>
    %29 = stablehlo.multiply %13, %28 : tensor<4x4xf32>
    %30 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %31 = stablehlo.reduce(%29 init: %30) applies stablehlo.add across dimensions = [1] : (tensor<4x4xf32>, tensor<f32>) -> tensor<4xf32>
    %32 = stablehlo.constant dense<0.0e+00> : tensor<4xf32>
    %33 = stablehlo.select %16, %31, %32 : (tensor<4xi1>, tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    %34 = stablehlo.constant dense<2.0e+00> : tensor<4xf32>
    %35 = stablehlo.multiply %11, %34 : tensor<4xf32>
    %36 = stablehlo.broadcast_in_dim %scale, dims = [] : (tensor<f32>) -> tensor<4xf32>
    %37 = stablehlo.multiply %35, %36 : tensor<4xf32>
    %38 = stablehlo.broadcast_in_dim %33, dims = [0] : (tensor<4xf32>) -> tensor<4x4xf32>
    %39 = stablehlo.multiply %13, %38 : tensor<4x4xf32>
    %40 = stablehlo.subtract %28, %39 : tensor<4x4xf32>
    %41 = stablehlo.broadcast_in_dim %37, dims = [0] : (tensor<4xf32>) -> tensor<4x4xf32>
    %42 = stablehlo.multiply %40, %41 : tensor<4x4xf32>
    %43 = stablehlo.multiply %28, %28 : tensor<4x4xf32>
    %44 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %45 = stablehlo.reduce(%43 init: %44) applies stablehlo.add across dimensions = [1] : (tensor<4x4xf32>, tensor<f32>) -> tensor<4xf32>
    %dprediction = stablehlo.convert %42 : (tensor<4x4xf32>) -> tensor<4x4xbf16>
    // probe
    %46 = stablehlo.slice %embedding [0:2, 0:8] : (tensor<4x8xf32>) -> tensor<2x8xf32>
    %47 = stablehlo.convert %46 : (tensor<2x8xf32>) -> tensor<2x8xbf16>
    %48 = stablehlo.dot_general %47, %classifier.weight.bf16, contracting_dims = [1] x [1] : (tensor<2x8xbf16>, tensor<3x8xbf16>) -> tensor<2x3xbf16>
    %49 = stablehlo.convert %48 : (tensor<2x3xbf16>) -> tensor<2x3xf32>
    %50 = stablehlo.broadcast_in_dim %classifier.bias, dims = [1] : (tensor<3xf32>) -> tensor<2x3xf32>
    %logits = stablehlo.add %49, %50 : tensor<2x3xf32>
    %51 = stablehlo.broadcast_in_dim %labels, dims = [0] : (tensor<2xi32>) -> tensor<2x3xi32>
    %52 = stablehlo.iota dim = 1 : tensor<2x3xi32>
    %53 = stablehlo.constant dense<1.0e+00> : tensor<2x3xf32>
    %54 = stablehlo.compare EQ, %51, %52, SIGNED : (tensor<2x3xi32>, tensor<2x3xi32>) -> tensor<2x3xi1>
    %55 = stablehlo.constant dense<0.0e+00> : tensor<2x3xf32>
    %56 = stablehlo.select %54, %53, %55 : (tensor<2x3xi1>, tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
    %57 = stablehlo.constant dense<0> : tensor<2xi32>
    %58 = stablehlo.compare LT, %labels, %57, SIGNED : (tensor<2xi32>, tensor<2xi32>) -> tensor<2xi1>
    %59 = stablehlo.not %58 : tensor<2xi1>
    %60 = stablehlo.constant dense<0xFF800000> : tensor<f32>
    %61 = stablehlo.reduce(%logits init: %60) applies stablehlo.maximum across dimensions = [1] : (tensor<2x3xf32>, tensor<f32>) -> tensor<2xf32>
    %62 = stablehlo.broadcast_in_dim %61, dims = [0] : (tensor<2xf32>) -> tensor<2x3xf32>
    %63 = stablehlo.compare EQ, %logits, %62, FLOAT : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xi1>
    %64 = stablehlo.constant dense<3> : tensor<2x3xi32>
    %65 = stablehlo.select %63, %52, %64 : (tensor<2x3xi1>, tensor<2x3xi32>, tensor<2x3xi32>) -> tensor<2x3xi32>
    %66 = stablehlo.constant dense<3> : tensor<i32>
    %67 = stablehlo.reduce(%65 init: %66) applies stablehlo.minimum across dimensions = [1] : (tensor<2x3xi32>, tensor<i32>) -> tensor<2xi32>
    %68 = stablehlo.compare EQ, %67, %labels, SIGNED : (tensor<2xi32>, tensor<2xi32>) -> tensor<2xi1>
    %69 = stablehlo.constant dense<1.0e+00> : tensor<2xf32>
    %70 = stablehlo.constant dense<0.0e+00> : tensor<2xf32>
    %71 = stablehlo.select %68, %69, %70 : (tensor<2xi1>, tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
    %72 = stablehlo.broadcast_in_dim %61, dims = [0] : (tensor<2xf32>) -> tensor<2x3xf32>
    %73 = stablehlo.subtract %logits, %72 : tensor<2x3xf32>
    %74 = stablehlo.exponential %73 : tensor<2x3xf32>
    %75 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %76 = stablehlo.reduce(%74 init: %75) applies stablehlo.add across dimensions = [1] : (tensor<2x3xf32>, tensor<f32>) -> tensor<2xf32>
    %77 = stablehlo.log %76 : tensor<2xf32>
    %78 = stablehlo.multiply %73, %56 : tensor<2x3xf32>
    %79 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %80 = stablehlo.reduce(%78 init: %79) applies stablehlo.add across dimensions = [1] : (tensor<2x3xf32>, tensor<f32>) -> tensor<2xf32>
    %81 = stablehlo.subtract %77, %80 : tensor<2xf32>
    %82 = stablehlo.constant dense<0.0e+00> : tensor<2xf32>
    %83 = stablehlo.select %59, %81, %82 : (tensor<2xi1>, tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
    %84 = stablehlo.broadcast_in_dim %76, dims = [0] : (tensor<2xf32>) -> tensor<2x3xf32>
    %85 = stablehlo.divide %74, %84 : tensor<2x3xf32>
    %86 = stablehlo.subtract %85, %56 : tensor<2x3xf32>
    %87 = stablehlo.broadcast_in_dim %scale, dims = [] : (tensor<f32>) -> tensor<2x3xf32>
    %88 = stablehlo.multiply %86, %87 : tensor<2x3xf32>
    %89 = stablehlo.broadcast_in_dim %59, dims = [0] : (tensor<2xi1>) -> tensor<2x3xi1>
    %90 = stablehlo.constant dense<0.0e+00> : tensor<2x3xf32>
    %91 = stablehlo.select %89, %88, %90 : (tensor<2x3xi1>, tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
    %92 = stablehlo.convert %91 : (tensor<2x3xf32>) -> tensor<2x3xbf16>
    %93 = stablehlo.dot_general %92, %47, contracting_dims = [0] x [0] : (tensor<2x3xbf16>, tensor<2x8xbf16>) -> tensor<3x8xbf16>
    %d.classifier.weight = stablehlo.convert %93 : (tensor<3x8xbf16>) -> tensor<3x8xf32>
    %94 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %d.classifier.bias = stablehlo.reduce(%91 init: %94) applies stablehlo.add across dimensions = [0] : (tensor<2x3xf32>, tensor<f32>) -> tensor<3xf32>
    // sums of the projections of unit length, and of their squares
    %95 = stablehlo.multiply %1, %1 : tensor<4x4xf32>
    %96 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %97 = stablehlo.reduce(%95 init: %96) applies stablehlo.add across dimensions = [1] : (tensor<4x4xf32>, tensor<f32>) -> tensor<4xf32>
    %98 = stablehlo.constant dense<1.0e-12> : tensor<4xf32>
    %99 = stablehlo.maximum %97, %98 : tensor<4xf32>
    %100 = stablehlo.rsqrt %99 : tensor<4xf32>
    %101 = stablehlo.broadcast_in_dim %100, dims = [0] : (tensor<4xf32>) -> tensor<4x4xf32>
    %102 = stablehlo.multiply %1, %101 : tensor<4x4xf32>
    %103 = stablehlo.constant dense<1.0e-12> : tensor<4xf32>
    %104 = stablehlo.compare LT, %97, %103, FLOAT : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xi1>
    %105 = stablehlo.not %104 : tensor<4xi1>
    %106 = stablehlo.reshape %102 : (tensor<4x4xf32>) -> tensor<2x2x4xf32>
    %107 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %108 = stablehlo.reduce(%106 init: %107) applies stablehlo.add across dimensions = [1] : (tensor<2x2x4xf32>, tensor<f32>) -> tensor<2x4xf32>
    %109 = stablehlo.multiply %106, %106 : tensor<2x2x4xf32>
    %110 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %111 = stablehlo.reduce(%109 init: %110) applies stablehlo.add across dimensions = [1] : (tensor<2x2x4xf32>, tensor<f32>) -> tensor<2x4xf32>
    %112 = stablehlo.concatenate %108, %111, dim = 1 : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x8xf32>
    %113 = stablehlo.reshape %112 : (tensor<2x8xf32>) -> tensor<16xf32>
    %report = stablehlo.concatenate %45, %83, %71, %113, dim = 0 : (tensor<4xf32>, tensor<2xf32>, tensor<2xf32>, tensor<16xf32>) -> tensor<24xf32>
    return %dprediction, %logits, %d.classifier.weight, %d.classifier.bias, %report : tensor<4x4xbf16>, tensor<2x3xf32>, tensor<3x8xf32>, tensor<3xf32>, tensor<24xf32>
  }
}
module @backward_0 {
  func.func public @main(
      %dprediction: tensor<4x4xbf16>,
      %predictor.3.weight.bf16: tensor<4x5xbf16>,
      %predictor.0.y: tensor<4x5xbf16>,
      %predictor.0.z: tensor<4x5xbf16>,
      %online.predictor.1.statistics: tensor<20xf32>
  ) -> (
      tensor<4x5xbf16>,
      tensor<20xf32>
  ) {
    // gradient of the input of predictor.3
    %0 = stablehlo.dot_general %dprediction, %predictor.3.weight.bf16, contracting_dims = [1] x [0] : (tensor<4x4xbf16>, tensor<4x5xbf16>) -> tensor<4x5xbf16>
    %1 = stablehlo.constant dense<0x0000> : tensor<4x5xbf16>
    %2 = stablehlo.compare GT, %predictor.0.y, %1, FLOAT : (tensor<4x5xbf16>, tensor<4x5xbf16>) -> tensor<4x5xi1>
    %3 = stablehlo.constant dense<0x0000> : tensor<4x5xbf16>
    %4 = stablehlo.select %2, %0, %3 : (tensor<4x5xi1>, tensor<4x5xbf16>, tensor<4x5xbf16>) -> tensor<4x5xbf16>
    // predictor.1: sums of the gradient, and of its product with x̂
    %5 = stablehlo.convert %4 : (tensor<4x5xbf16>) -> tensor<4x5xf32>
    %6 = stablehlo.reshape %5 : (tensor<4x5xf32>) -> tensor<2x2x5xf32>
    %7 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %8 = stablehlo.reduce(%6 init: %7) applies stablehlo.add across dimensions = [1] : (tensor<2x2x5xf32>, tensor<f32>) -> tensor<2x5xf32>
    %9 = stablehlo.convert %predictor.0.z : (tensor<4x5xbf16>) -> tensor<4x5xf32>
    %10 = stablehlo.reshape %9 : (tensor<4x5xf32>) -> tensor<2x2x5xf32>
    %11 = stablehlo.reshape %online.predictor.1.statistics : (tensor<20xf32>) -> tensor<2x10xf32>
    %12 = stablehlo.slice %11 [0:2, 0:5] : (tensor<2x10xf32>) -> tensor<2x5xf32>
    %13 = stablehlo.broadcast_in_dim %12, dims = [0, 2] : (tensor<2x5xf32>) -> tensor<2x2x5xf32>
    %14 = stablehlo.subtract %10, %13 : tensor<2x2x5xf32>
    %15 = stablehlo.reshape %online.predictor.1.statistics : (tensor<20xf32>) -> tensor<2x10xf32>
    %16 = stablehlo.slice %15 [0:2, 5:10] : (tensor<2x10xf32>) -> tensor<2x5xf32>
    %17 = stablehlo.broadcast_in_dim %16, dims = [0, 2] : (tensor<2x5xf32>) -> tensor<2x2x5xf32>
    %18 = stablehlo.multiply %14, %17 : tensor<2x2x5xf32>
    %19 = stablehlo.multiply %6, %18 : tensor<2x2x5xf32>
    %20 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %21 = stablehlo.reduce(%19 init: %20) applies stablehlo.add across dimensions = [1] : (tensor<2x2x5xf32>, tensor<f32>) -> tensor<2x5xf32>
    %22 = stablehlo.concatenate %8, %21, dim = 1 : (tensor<2x5xf32>, tensor<2x5xf32>) -> tensor<2x10xf32>
    %sums = stablehlo.reshape %22 : (tensor<2x10xf32>) -> tensor<20xf32>
    return %4, %sums : tensor<4x5xbf16>, tensor<20xf32>
  }
}
module @weights_0 {
  func.func public @main(
      %dprediction: tensor<4x4xbf16>,
      %predictor.0.y: tensor<4x5xbf16>
  ) -> (
      tensor<4x5xf32>
  ) {
    // gradient of predictor.3.weight
    %0 = stablehlo.dot_general %dprediction, %predictor.0.y, contracting_dims = [0] x [0] : (tensor<4x4xbf16>, tensor<4x5xbf16>) -> tensor<4x5xbf16>
    %d.predictor.3.weight = stablehlo.convert %0 : (tensor<4x5xbf16>) -> tensor<4x5xf32>
    return %d.predictor.3.weight : tensor<4x5xf32>
  }
}
module @backward_1 {
  func.func public @main(
      %0: tensor<4x5xbf16>,
      %predictor.0.z: tensor<4x5xbf16>,
      %online.predictor.1.statistics: tensor<20xf32>,
      %predictor.1.means: tensor<20xf32>,
      %predictor.1.weight: tensor<5xf32>,
      %predictor.0.weight.bf16: tensor<5x4xbf16>,
      %projector.3.weight.bf16: tensor<4x6xbf16>,
      %projector.0.y: tensor<4x6xbf16>,
      %projector.0.z: tensor<4x6xbf16>,
      %online.projector.1.statistics: tensor<24xf32>
  ) -> (
      tensor<4x5xbf16>,
      tensor<4x4xbf16>,
      tensor<4x6xbf16>,
      tensor<24xf32>
  ) {
    // predictor.1: gradient
    %1 = stablehlo.convert %0 : (tensor<4x5xbf16>) -> tensor<4x5xf32>
    %2 = stablehlo.reshape %1 : (tensor<4x5xf32>) -> tensor<2x2x5xf32>
    %3 = stablehlo.convert %predictor.0.z : (tensor<4x5xbf16>) -> tensor<4x5xf32>
    %4 = stablehlo.reshape %3 : (tensor<4x5xf32>) -> tensor<2x2x5xf32>
    %5 = stablehlo.reshape %online.predictor.1.statistics : (tensor<20xf32>) -> tensor<2x10xf32>
    %6 = stablehlo.slice %5 [0:2, 0:5] : (tensor<2x10xf32>) -> tensor<2x5xf32>
    %7 = stablehlo.broadcast_in_dim %6, dims = [0, 2] : (tensor<2x5xf32>) -> tensor<2x2x5xf32>
    %8 = stablehlo.subtract %4, %7 : tensor<2x2x5xf32>
    %9 = stablehlo.reshape %online.predictor.1.statistics : (tensor<20xf32>) -> tensor<2x10xf32>
    %10 = stablehlo.slice %9 [0:2, 5:10] : (tensor<2x10xf32>) -> tensor<2x5xf32>
    %11 = stablehlo.broadcast_in_dim %10, dims = [0, 2] : (tensor<2x5xf32>) -> tensor<2x2x5xf32>
    %12 = stablehlo.multiply %8, %11 : tensor<2x2x5xf32>
    %13 = stablehlo.reshape %predictor.1.means : (tensor<20xf32>) -> tensor<2x10xf32>
    %14 = stablehlo.slice %13 [0:2, 0:5] : (tensor<2x10xf32>) -> tensor<2x5xf32>
    %15 = stablehlo.broadcast_in_dim %14, dims = [0, 2] : (tensor<2x5xf32>) -> tensor<2x2x5xf32>
    %16 = stablehlo.subtract %2, %15 : tensor<2x2x5xf32>
    %17 = stablehlo.reshape %predictor.1.means : (tensor<20xf32>) -> tensor<2x10xf32>
    %18 = stablehlo.slice %17 [0:2, 5:10] : (tensor<2x10xf32>) -> tensor<2x5xf32>
    %19 = stablehlo.broadcast_in_dim %18, dims = [0, 2] : (tensor<2x5xf32>) -> tensor<2x2x5xf32>
    %20 = stablehlo.multiply %12, %19 : tensor<2x2x5xf32>
    %21 = stablehlo.subtract %16, %20 : tensor<2x2x5xf32>
    %22 = stablehlo.reshape %online.predictor.1.statistics : (tensor<20xf32>) -> tensor<2x10xf32>
    %23 = stablehlo.slice %22 [0:2, 5:10] : (tensor<2x10xf32>) -> tensor<2x5xf32>
    %24 = stablehlo.broadcast_in_dim %23, dims = [0, 2] : (tensor<2x5xf32>) -> tensor<2x2x5xf32>
    %25 = stablehlo.broadcast_in_dim %predictor.1.weight, dims = [2] : (tensor<5xf32>) -> tensor<2x2x5xf32>
    %26 = stablehlo.multiply %24, %25 : tensor<2x2x5xf32>
    %27 = stablehlo.multiply %21, %26 : tensor<2x2x5xf32>
    %28 = stablehlo.reshape %27 : (tensor<2x2x5xf32>) -> tensor<4x5xf32>
    %d.predictor.0.z = stablehlo.convert %28 : (tensor<4x5xf32>) -> tensor<4x5xbf16>
    // gradient of the input of predictor.0
    %29 = stablehlo.dot_general %d.predictor.0.z, %predictor.0.weight.bf16, contracting_dims = [1] x [0] : (tensor<4x5xbf16>, tensor<5x4xbf16>) -> tensor<4x4xbf16>
    // gradient of the input of projector.3
    %30 = stablehlo.dot_general %29, %projector.3.weight.bf16, contracting_dims = [1] x [0] : (tensor<4x4xbf16>, tensor<4x6xbf16>) -> tensor<4x6xbf16>
    %31 = stablehlo.constant dense<0x0000> : tensor<4x6xbf16>
    %32 = stablehlo.compare GT, %projector.0.y, %31, FLOAT : (tensor<4x6xbf16>, tensor<4x6xbf16>) -> tensor<4x6xi1>
    %33 = stablehlo.constant dense<0x0000> : tensor<4x6xbf16>
    %34 = stablehlo.select %32, %30, %33 : (tensor<4x6xi1>, tensor<4x6xbf16>, tensor<4x6xbf16>) -> tensor<4x6xbf16>
    // projector.1: sums of the gradient, and of its product with x̂
    %35 = stablehlo.convert %34 : (tensor<4x6xbf16>) -> tensor<4x6xf32>
    %36 = stablehlo.reshape %35 : (tensor<4x6xf32>) -> tensor<2x2x6xf32>
    %37 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %38 = stablehlo.reduce(%36 init: %37) applies stablehlo.add across dimensions = [1] : (tensor<2x2x6xf32>, tensor<f32>) -> tensor<2x6xf32>
    %39 = stablehlo.convert %projector.0.z : (tensor<4x6xbf16>) -> tensor<4x6xf32>
    %40 = stablehlo.reshape %39 : (tensor<4x6xf32>) -> tensor<2x2x6xf32>
    %41 = stablehlo.reshape %online.projector.1.statistics : (tensor<24xf32>) -> tensor<2x12xf32>
    %42 = stablehlo.slice %41 [0:2, 0:6] : (tensor<2x12xf32>) -> tensor<2x6xf32>
    %43 = stablehlo.broadcast_in_dim %42, dims = [0, 2] : (tensor<2x6xf32>) -> tensor<2x2x6xf32>
    %44 = stablehlo.subtract %40, %43 : tensor<2x2x6xf32>
    %45 = stablehlo.reshape %online.projector.1.statistics : (tensor<24xf32>) -> tensor<2x12xf32>
    %46 = stablehlo.slice %45 [0:2, 6:12] : (tensor<2x12xf32>) -> tensor<2x6xf32>
    %47 = stablehlo.broadcast_in_dim %46, dims = [0, 2] : (tensor<2x6xf32>) -> tensor<2x2x6xf32>
    %48 = stablehlo.multiply %44, %47 : tensor<2x2x6xf32>
    %49 = stablehlo.multiply %36, %48 : tensor<2x2x6xf32>
    %50 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %51 = stablehlo.reduce(%49 init: %50) applies stablehlo.add across dimensions = [1] : (tensor<2x2x6xf32>, tensor<f32>) -> tensor<2x6xf32>
    %52 = stablehlo.concatenate %38, %51, dim = 1 : (tensor<2x6xf32>, tensor<2x6xf32>) -> tensor<2x12xf32>
    %sums = stablehlo.reshape %52 : (tensor<2x12xf32>) -> tensor<24xf32>
    return %d.predictor.0.z, %29, %34, %sums : tensor<4x5xbf16>, tensor<4x4xbf16>, tensor<4x6xbf16>, tensor<24xf32>
  }
}
module @weights_1 {
  func.func public @main(
      %d.predictor.0.z: tensor<4x5xbf16>,
      %projection: tensor<4x4xbf16>,
      %0: tensor<4x4xbf16>,
      %projector.0.y: tensor<4x6xbf16>
  ) -> (
      tensor<5x4xf32>,
      tensor<5xf32>,
      tensor<4x6xf32>
  ) {
    // gradient of predictor.0.weight
    %1 = stablehlo.dot_general %d.predictor.0.z, %projection, contracting_dims = [0] x [0] : (tensor<4x5xbf16>, tensor<4x4xbf16>) -> tensor<5x4xbf16>
    %d.predictor.0.weight = stablehlo.convert %1 : (tensor<5x4xbf16>) -> tensor<5x4xf32>
    %2 = stablehlo.convert %d.predictor.0.z : (tensor<4x5xbf16>) -> tensor<4x5xf32>
    %3 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %d.predictor.0.bias = stablehlo.reduce(%2 init: %3) applies stablehlo.add across dimensions = [0] : (tensor<4x5xf32>, tensor<f32>) -> tensor<5xf32>
    // gradient of projector.3.weight
    %4 = stablehlo.dot_general %0, %projector.0.y, contracting_dims = [0] x [0] : (tensor<4x4xbf16>, tensor<4x6xbf16>) -> tensor<4x6xbf16>
    %d.projector.3.weight = stablehlo.convert %4 : (tensor<4x6xbf16>) -> tensor<4x6xf32>
    return %d.predictor.0.weight, %d.predictor.0.bias, %d.projector.3.weight : tensor<5x4xf32>, tensor<5xf32>, tensor<4x6xf32>
  }
}
module @backward_2 {
  func.func public @main(
      %0: tensor<4x6xbf16>,
      %projector.0.z: tensor<4x6xbf16>,
      %online.projector.1.statistics: tensor<24xf32>,
      %projector.1.means: tensor<24xf32>,
      %projector.1.weight: tensor<6xf32>,
      %projector.0.weight.bf16: tensor<6x8xbf16>,
      %encoder.layer1.0.conv3.y: tensor<4x2x2x8xbf16>,
      %encoder.layer1.0.conv3.z: tensor<4x2x2x8xbf16>,
      %online.encoder.layer1.0.bn3.statistics: tensor<64xf32>,
      %encoder.layer1.0.downsample.0.z: tensor<4x2x2x8xbf16>
  ) -> (
      tensor<4x6xbf16>,
      tensor<4x2x2x8xbf16>,
      tensor<64xf32>
  ) {
    // projector.1: gradient
    %1 = stablehlo.convert %0 : (tensor<4x6xbf16>) -> tensor<4x6xf32>
    %2 = stablehlo.reshape %1 : (tensor<4x6xf32>) -> tensor<2x2x6xf32>
    %3 = stablehlo.convert %projector.0.z : (tensor<4x6xbf16>) -> tensor<4x6xf32>
    %4 = stablehlo.reshape %3 : (tensor<4x6xf32>) -> tensor<2x2x6xf32>
    %5 = stablehlo.reshape %online.projector.1.statistics : (tensor<24xf32>) -> tensor<2x12xf32>
    %6 = stablehlo.slice %5 [0:2, 0:6] : (tensor<2x12xf32>) -> tensor<2x6xf32>
    %7 = stablehlo.broadcast_in_dim %6, dims = [0, 2] : (tensor<2x6xf32>) -> tensor<2x2x6xf32>
    %8 = stablehlo.subtract %4, %7 : tensor<2x2x6xf32>
    %9 = stablehlo.reshape %online.projector.1.statistics : (tensor<24xf32>) -> tensor<2x12xf32>
    %10 = stablehlo.slice %9 [0:2, 6:12] : (tensor<2x12xf32>) -> tensor<2x6xf32>
    %11 = stablehlo.broadcast_in_dim %10, dims = [0, 2] : (tensor<2x6xf32>) -> tensor<2x2x6xf32>
    %12 = stablehlo.multiply %8, %11 : tensor<2x2x6xf32>
    %13 = stablehlo.reshape %projector.1.means : (tensor<24xf32>) -> tensor<2x12xf32>
    %14 = stablehlo.slice %13 [0:2, 0:6] : (tensor<2x12xf32>) -> tensor<2x6xf32>
    %15 = stablehlo.broadcast_in_dim %14, dims = [0, 2] : (tensor<2x6xf32>) -> tensor<2x2x6xf32>
    %16 = stablehlo.subtract %2, %15 : tensor<2x2x6xf32>
    %17 = stablehlo.reshape %projector.1.means : (tensor<24xf32>) -> tensor<2x12xf32>
    %18 = stablehlo.slice %17 [0:2, 6:12] : (tensor<2x12xf32>) -> tensor<2x6xf32>
    %19 = stablehlo.broadcast_in_dim %18, dims = [0, 2] : (tensor<2x6xf32>) -> tensor<2x2x6xf32>
    %20 = stablehlo.multiply %12, %19 : tensor<2x2x6xf32>
    %21 = stablehlo.subtract %16, %20 : tensor<2x2x6xf32>
    %22 = stablehlo.reshape %online.projector.1.statistics : (tensor<24xf32>) -> tensor<2x12xf32>
    %23 = stablehlo.slice %22 [0:2, 6:12] : (tensor<2x12xf32>) -> tensor<2x6xf32>
    %24 = stablehlo.broadcast_in_dim %23, dims = [0, 2] : (tensor<2x6xf32>) -> tensor<2x2x6xf32>
    %25 = stablehlo.broadcast_in_dim %projector.1.weight, dims = [2] : (tensor<6xf32>) -> tensor<2x2x6xf32>
    %26 = stablehlo.multiply %24, %25 : tensor<2x2x6xf32>
    %27 = stablehlo.multiply %21, %26 : tensor<2x2x6xf32>
    %28 = stablehlo.reshape %27 : (tensor<2x2x6xf32>) -> tensor<4x6xf32>
    %d.projector.0.z = stablehlo.convert %28 : (tensor<4x6xf32>) -> tensor<4x6xbf16>
    // gradient of the input of projector.0
    %29 = stablehlo.dot_general %d.projector.0.z, %projector.0.weight.bf16, contracting_dims = [1] x [0] : (tensor<4x6xbf16>, tensor<6x8xbf16>) -> tensor<4x8xbf16>
    // gradient of the mean over positions
    %30 = stablehlo.convert %29 : (tensor<4x8xbf16>) -> tensor<4x8xf32>
    %31 = stablehlo.constant dense<2.5e-01> : tensor<4x8xf32>
    %32 = stablehlo.multiply %30, %31 : tensor<4x8xf32>
    %33 = stablehlo.broadcast_in_dim %32, dims = [0, 2] : (tensor<4x8xf32>) -> tensor<4x4x8xf32>
    %34 = stablehlo.reshape %33 : (tensor<4x4x8xf32>) -> tensor<4x2x2x8xf32>
    %35 = stablehlo.convert %34 : (tensor<4x2x2x8xf32>) -> tensor<4x2x2x8xbf16>
    // ReLU of the block that ends with encoder.layer1.0.conv3
    %36 = stablehlo.constant dense<0x0000> : tensor<4x2x2x8xbf16>
    %37 = stablehlo.compare GT, %encoder.layer1.0.conv3.y, %36, FLOAT : (tensor<4x2x2x8xbf16>, tensor<4x2x2x8xbf16>) -> tensor<4x2x2x8xi1>
    %38 = stablehlo.constant dense<0x0000> : tensor<4x2x2x8xbf16>
    %39 = stablehlo.select %37, %35, %38 : (tensor<4x2x2x8xi1>, tensor<4x2x2x8xbf16>, tensor<4x2x2x8xbf16>) -> tensor<4x2x2x8xbf16>
    // encoder.layer1.0.bn3: sums of the gradient, and of its product with x̂
    %40 = stablehlo.convert %39 : (tensor<4x2x2x8xbf16>) -> tensor<4x2x2x8xf32>
    %41 = stablehlo.reshape %40 : (tensor<4x2x2x8xf32>) -> tensor<2x8x8xf32>
    %42 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %43 = stablehlo.reduce(%41 init: %42) applies stablehlo.add across dimensions = [1] : (tensor<2x8x8xf32>, tensor<f32>) -> tensor<2x8xf32>
    %44 = stablehlo.convert %encoder.layer1.0.conv3.z : (tensor<4x2x2x8xbf16>) -> tensor<4x2x2x8xf32>
    %45 = stablehlo.reshape %44 : (tensor<4x2x2x8xf32>) -> tensor<2x8x8xf32>
    %46 = stablehlo.slice %online.encoder.layer1.0.bn3.statistics [0:32] : (tensor<64xf32>) -> tensor<32xf32>
    %47 = stablehlo.reshape %46 : (tensor<32xf32>) -> tensor<2x16xf32>
    %48 = stablehlo.slice %47 [0:2, 0:8] : (tensor<2x16xf32>) -> tensor<2x8xf32>
    %49 = stablehlo.broadcast_in_dim %48, dims = [0, 2] : (tensor<2x8xf32>) -> tensor<2x8x8xf32>
    %50 = stablehlo.subtract %45, %49 : tensor<2x8x8xf32>
    %51 = stablehlo.slice %online.encoder.layer1.0.bn3.statistics [0:32] : (tensor<64xf32>) -> tensor<32xf32>
    %52 = stablehlo.reshape %51 : (tensor<32xf32>) -> tensor<2x16xf32>
    %53 = stablehlo.slice %52 [0:2, 8:16] : (tensor<2x16xf32>) -> tensor<2x8xf32>
    %54 = stablehlo.broadcast_in_dim %53, dims = [0, 2] : (tensor<2x8xf32>) -> tensor<2x8x8xf32>
    %55 = stablehlo.multiply %50, %54 : tensor<2x8x8xf32>
    %56 = stablehlo.multiply %41, %55 : tensor<2x8x8xf32>
    %57 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %58 = stablehlo.reduce(%56 init: %57) applies stablehlo.add across dimensions = [1] : (tensor<2x8x8xf32>, tensor<f32>) -> tensor<2x8xf32>
    %59 = stablehlo.concatenate %43, %58, dim = 1 : (tensor<2x8xf32>, tensor<2x8xf32>) -> tensor<2x16xf32>
    %60 = stablehlo.reshape %59 : (tensor<2x16xf32>) -> tensor<32xf32>
    // encoder.layer1.0.downsample.1: sums of the gradient, and of its product with x̂
    %61 = stablehlo.convert %39 : (tensor<4x2x2x8xbf16>) -> tensor<4x2x2x8xf32>
    %62 = stablehlo.reshape %61 : (tensor<4x2x2x8xf32>) -> tensor<2x8x8xf32>
    %63 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %64 = stablehlo.reduce(%62 init: %63) applies stablehlo.add across dimensions = [1] : (tensor<2x8x8xf32>, tensor<f32>) -> tensor<2x8xf32>
    %65 = stablehlo.convert %encoder.layer1.0.downsample.0.z : (tensor<4x2x2x8xbf16>) -> tensor<4x2x2x8xf32>
    %66 = stablehlo.reshape %65 : (tensor<4x2x2x8xf32>) -> tensor<2x8x8xf32>
    %67 = stablehlo.slice %online.encoder.layer1.0.bn3.statistics [32:64] : (tensor<64xf32>) -> tensor<32xf32>
    %68 = stablehlo.reshape %67 : (tensor<32xf32>) -> tensor<2x16xf32>
    %69 = stablehlo.slice %68 [0:2, 0:8] : (tensor<2x16xf32>) -> tensor<2x8xf32>
    %70 = stablehlo.broadcast_in_dim %69, dims = [0, 2] : (tensor<2x8xf32>) -> tensor<2x8x8xf32>
    %71 = stablehlo.subtract %66, %70 : tensor<2x8x8xf32>
    %72 = stablehlo.slice %online.encoder.layer1.0.bn3.statistics [32:64] : (tensor<64xf32>) -> tensor<32xf32>
    %73 = stablehlo.reshape %72 : (tensor<32xf32>) -> tensor<2x16xf32>
    %74 = stablehlo.slice %73 [0:2, 8:16] : (tensor<2x16xf32>) -> tensor<2x8xf32>
    %75 = stablehlo.broadcast_in_dim %74, dims = [0, 2] : (tensor<2x8xf32>) -> tensor<2x8x8xf32>
    %76 = stablehlo.multiply %71, %75 : tensor<2x8x8xf32>
    %77 = stablehlo.multiply %62, %76 : tensor<2x8x8xf32>
    %78 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %79 = stablehlo.reduce(%77 init: %78) applies stablehlo.add across dimensions = [1] : (tensor<2x8x8xf32>, tensor<f32>) -> tensor<2x8xf32>
    %80 = stablehlo.concatenate %64, %79, dim = 1 : (tensor<2x8xf32>, tensor<2x8xf32>) -> tensor<2x16xf32>
    %81 = stablehlo.reshape %80 : (tensor<2x16xf32>) -> tensor<32xf32>
    %sums = stablehlo.concatenate %60, %81, dim = 0 : (tensor<32xf32>, tensor<32xf32>) -> tensor<64xf32>
    return %d.projector.0.z, %39, %sums : tensor<4x6xbf16>, tensor<4x2x2x8xbf16>, tensor<64xf32>
  }
}
module @weights_2 {
  func.func public @main(
      %d.projector.0.z: tensor<4x6xbf16>,
      %0: tensor<4x8xbf16>
  ) -> (
      tensor<6x8xf32>,
      tensor<6xf32>
  ) {
    // gradient of projector.0.weight
    %1 = stablehlo.dot_general %d.projector.0.z, %0, contracting_dims = [0] x [0] : (tensor<4x6xbf16>, tensor<4x8xbf16>) -> tensor<6x8xbf16>
    %d.projector.0.weight = stablehlo.convert %1 : (tensor<6x8xbf16>) -> tensor<6x8xf32>
    %2 = stablehlo.convert %d.projector.0.z : (tensor<4x6xbf16>) -> tensor<4x6xf32>
    %3 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %d.projector.0.bias = stablehlo.reduce(%2 init: %3) applies stablehlo.add across dimensions = [0] : (tensor<4x6xf32>, tensor<f32>) -> tensor<6xf32>
    return %d.projector.0.weight, %d.projector.0.bias : tensor<6x8xf32>, tensor<6xf32>
  }
}
module @backward_3 {
  func.func public @main(
      %0: tensor<4x2x2x8xbf16>,
      %encoder.layer1.0.conv3.z: tensor<4x2x2x8xbf16>,
      %online.encoder.layer1.0.bn3.statistics: tensor<64xf32>,
      %encoder.layer1.0.bn3.means: tensor<64xf32>,
      %encoder.layer1.0.bn3.weight: tensor<8xf32>,
      %encoder.layer1.0.downsample.0.z: tensor<4x2x2x8xbf16>,
      %encoder.layer1.0.downsample.1.weight: tensor<8xf32>,
      %encoder.layer1.0.conv3.weight.bf16: tensor<8x1x1x2xbf16>,
      %encoder.layer1.0.conv2.y: tensor<4x2x2x2xbf16>,
      %encoder.layer1.0.conv2.z: tensor<4x2x2x2xbf16>,
      %online.encoder.layer1.0.bn2.statistics: tensor<8xf32>
  ) -> (
      tensor<4x2x2x8xbf16>,
      tensor<4x2x2x8xbf16>,
      tensor<4x2x2x2xbf16>,
      tensor<8xf32>
  ) {
    // encoder.layer1.0.bn3: gradient
    %1 = stablehlo.convert %0 : (tensor<4x2x2x8xbf16>) -> tensor<4x2x2x8xf32>
    %2 = stablehlo.reshape %1 : (tensor<4x2x2x8xf32>) -> tensor<2x8x8xf32>
    %3 = stablehlo.convert %encoder.layer1.0.conv3.z : (tensor<4x2x2x8xbf16>) -> tensor<4x2x2x8xf32>
    %4 = stablehlo.reshape %3 : (tensor<4x2x2x8xf32>) -> tensor<2x8x8xf32>
    %5 = stablehlo.slice %online.encoder.layer1.0.bn3.statistics [0:32] : (tensor<64xf32>) -> tensor<32xf32>
    %6 = stablehlo.reshape %5 : (tensor<32xf32>) -> tensor<2x16xf32>
    %7 = stablehlo.slice %6 [0:2, 0:8] : (tensor<2x16xf32>) -> tensor<2x8xf32>
    %8 = stablehlo.broadcast_in_dim %7, dims = [0, 2] : (tensor<2x8xf32>) -> tensor<2x8x8xf32>
    %9 = stablehlo.subtract %4, %8 : tensor<2x8x8xf32>
    %10 = stablehlo.slice %online.encoder.layer1.0.bn3.statistics [0:32] : (tensor<64xf32>) -> tensor<32xf32>
    %11 = stablehlo.reshape %10 : (tensor<32xf32>) -> tensor<2x16xf32>
    %12 = stablehlo.slice %11 [0:2, 8:16] : (tensor<2x16xf32>) -> tensor<2x8xf32>
    %13 = stablehlo.broadcast_in_dim %12, dims = [0, 2] : (tensor<2x8xf32>) -> tensor<2x8x8xf32>
    %14 = stablehlo.multiply %9, %13 : tensor<2x8x8xf32>
    %15 = stablehlo.slice %encoder.layer1.0.bn3.means [0:32] : (tensor<64xf32>) -> tensor<32xf32>
    %16 = stablehlo.reshape %15 : (tensor<32xf32>) -> tensor<2x16xf32>
    %17 = stablehlo.slice %16 [0:2, 0:8] : (tensor<2x16xf32>) -> tensor<2x8xf32>
    %18 = stablehlo.broadcast_in_dim %17, dims = [0, 2] : (tensor<2x8xf32>) -> tensor<2x8x8xf32>
    %19 = stablehlo.subtract %2, %18 : tensor<2x8x8xf32>
    %20 = stablehlo.slice %encoder.layer1.0.bn3.means [0:32] : (tensor<64xf32>) -> tensor<32xf32>
    %21 = stablehlo.reshape %20 : (tensor<32xf32>) -> tensor<2x16xf32>
    %22 = stablehlo.slice %21 [0:2, 8:16] : (tensor<2x16xf32>) -> tensor<2x8xf32>
    %23 = stablehlo.broadcast_in_dim %22, dims = [0, 2] : (tensor<2x8xf32>) -> tensor<2x8x8xf32>
    %24 = stablehlo.multiply %14, %23 : tensor<2x8x8xf32>
    %25 = stablehlo.subtract %19, %24 : tensor<2x8x8xf32>
    %26 = stablehlo.slice %online.encoder.layer1.0.bn3.statistics [0:32] : (tensor<64xf32>) -> tensor<32xf32>
    %27 = stablehlo.reshape %26 : (tensor<32xf32>) -> tensor<2x16xf32>
    %28 = stablehlo.slice %27 [0:2, 8:16] : (tensor<2x16xf32>) -> tensor<2x8xf32>
    %29 = stablehlo.broadcast_in_dim %28, dims = [0, 2] : (tensor<2x8xf32>) -> tensor<2x8x8xf32>
    %30 = stablehlo.broadcast_in_dim %encoder.layer1.0.bn3.weight, dims = [2] : (tensor<8xf32>) -> tensor<2x8x8xf32>
    %31 = stablehlo.multiply %29, %30 : tensor<2x8x8xf32>
    %32 = stablehlo.multiply %25, %31 : tensor<2x8x8xf32>
    %33 = stablehlo.reshape %32 : (tensor<2x8x8xf32>) -> tensor<4x2x2x8xf32>
    %d.encoder.layer1.0.conv3.z = stablehlo.convert %33 : (tensor<4x2x2x8xf32>) -> tensor<4x2x2x8xbf16>
    // encoder.layer1.0.downsample.1: gradient
    %34 = stablehlo.convert %0 : (tensor<4x2x2x8xbf16>) -> tensor<4x2x2x8xf32>
    %35 = stablehlo.reshape %34 : (tensor<4x2x2x8xf32>) -> tensor<2x8x8xf32>
    %36 = stablehlo.convert %encoder.layer1.0.downsample.0.z : (tensor<4x2x2x8xbf16>) -> tensor<4x2x2x8xf32>
    %37 = stablehlo.reshape %36 : (tensor<4x2x2x8xf32>) -> tensor<2x8x8xf32>
    %38 = stablehlo.slice %online.encoder.layer1.0.bn3.statistics [32:64] : (tensor<64xf32>) -> tensor<32xf32>
    %39 = stablehlo.reshape %38 : (tensor<32xf32>) -> tensor<2x16xf32>
    %40 = stablehlo.slice %39 [0:2, 0:8] : (tensor<2x16xf32>) -> tensor<2x8xf32>
    %41 = stablehlo.broadcast_in_dim %40, dims = [0, 2] : (tensor<2x8xf32>) -> tensor<2x8x8xf32>
    %42 = stablehlo.subtract %37, %41 : tensor<2x8x8xf32>
    %43 = stablehlo.slice %online.encoder.layer1.0.bn3.statistics [32:64] : (tensor<64xf32>) -> tensor<32xf32>
    %44 = stablehlo.reshape %43 : (tensor<32xf32>) -> tensor<2x16xf32>
    %45 = stablehlo.slice %44 [0:2, 8:16] : (tensor<2x16xf32>) -> tensor<2x8xf32>
    %46 = stablehlo.broadcast_in_dim %45, dims = [0, 2] : (tensor<2x8xf32>) -> tensor<2x8x8xf32>
    %47 = stablehlo.multiply %42, %46 : tensor<2x8x8xf32>
    %48 = stablehlo.slice %encoder.layer1.0.bn3.means [32:64] : (tensor<64xf32>) -> tensor<32xf32>
    %49 = stablehlo.reshape %48 : (tensor<32xf32>) -> tensor<2x16xf32>
    %50 = stablehlo.slice %49 [0:2, 0:8] : (tensor<2x16xf32>) -> tensor<2x8xf32>
    %51 = stablehlo.broadcast_in_dim %50, dims = [0, 2] : (tensor<2x8xf32>) -> tensor<2x8x8xf32>
    %52 = stablehlo.subtract %35, %51 : tensor<2x8x8xf32>
    %53 = stablehlo.slice %encoder.layer1.0.bn3.means [32:64] : (tensor<64xf32>) -> tensor<32xf32>
    %54 = stablehlo.reshape %53 : (tensor<32xf32>) -> tensor<2x16xf32>
    %55 = stablehlo.slice %54 [0:2, 8:16] : (tensor<2x16xf32>) -> tensor<2x8xf32>
    %56 = stablehlo.broadcast_in_dim %55, dims = [0, 2] : (tensor<2x8xf32>) -> tensor<2x8x8xf32>
    %57 = stablehlo.multiply %47, %56 : tensor<2x8x8xf32>
    %58 = stablehlo.subtract %52, %57 : tensor<2x8x8xf32>
    %59 = stablehlo.slice %online.encoder.layer1.0.bn3.statistics [32:64] : (tensor<64xf32>) -> tensor<32xf32>
    %60 = stablehlo.reshape %59 : (tensor<32xf32>) -> tensor<2x16xf32>
    %61 = stablehlo.slice %60 [0:2, 8:16] : (tensor<2x16xf32>) -> tensor<2x8xf32>
    %62 = stablehlo.broadcast_in_dim %61, dims = [0, 2] : (tensor<2x8xf32>) -> tensor<2x8x8xf32>
    %63 = stablehlo.broadcast_in_dim %encoder.layer1.0.downsample.1.weight, dims = [2] : (tensor<8xf32>) -> tensor<2x8x8xf32>
    %64 = stablehlo.multiply %62, %63 : tensor<2x8x8xf32>
    %65 = stablehlo.multiply %58, %64 : tensor<2x8x8xf32>
    %66 = stablehlo.reshape %65 : (tensor<2x8x8xf32>) -> tensor<4x2x2x8xf32>
    %d.encoder.layer1.0.downsample.0.z = stablehlo.convert %66 : (tensor<4x2x2x8xf32>) -> tensor<4x2x2x8xbf16>
    // gradient of the input of encoder.layer1.0.conv3
    %67 = stablehlo.convolution(%d.encoder.layer1.0.conv3.z, %encoder.layer1.0.conv3.weight.bf16) dim_numbers = [b, 0, 1, f]x[i, 0, 1, o]->[b, 0, 1, f], window = {stride = [1, 1], pad = [[0, 0], [0, 0]], lhs_dilate = [1, 1], rhs_dilate = [1, 1]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64} : (tensor<4x2x2x8xbf16>, tensor<8x1x1x2xbf16>) -> tensor<4x2x2x2xbf16>
    %68 = stablehlo.constant dense<0x0000> : tensor<4x2x2x2xbf16>
    %69 = stablehlo.compare GT, %encoder.layer1.0.conv2.y, %68, FLOAT : (tensor<4x2x2x2xbf16>, tensor<4x2x2x2xbf16>) -> tensor<4x2x2x2xi1>
    %70 = stablehlo.constant dense<0x0000> : tensor<4x2x2x2xbf16>
    %71 = stablehlo.select %69, %67, %70 : (tensor<4x2x2x2xi1>, tensor<4x2x2x2xbf16>, tensor<4x2x2x2xbf16>) -> tensor<4x2x2x2xbf16>
    // encoder.layer1.0.bn2: sums of the gradient, and of its product with x̂
    %72 = stablehlo.convert %71 : (tensor<4x2x2x2xbf16>) -> tensor<4x2x2x2xf32>
    %73 = stablehlo.reshape %72 : (tensor<4x2x2x2xf32>) -> tensor<2x8x2xf32>
    %74 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %75 = stablehlo.reduce(%73 init: %74) applies stablehlo.add across dimensions = [1] : (tensor<2x8x2xf32>, tensor<f32>) -> tensor<2x2xf32>
    %76 = stablehlo.convert %encoder.layer1.0.conv2.z : (tensor<4x2x2x2xbf16>) -> tensor<4x2x2x2xf32>
    %77 = stablehlo.reshape %76 : (tensor<4x2x2x2xf32>) -> tensor<2x8x2xf32>
    %78 = stablehlo.reshape %online.encoder.layer1.0.bn2.statistics : (tensor<8xf32>) -> tensor<2x4xf32>
    %79 = stablehlo.slice %78 [0:2, 0:2] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %80 = stablehlo.broadcast_in_dim %79, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x8x2xf32>
    %81 = stablehlo.subtract %77, %80 : tensor<2x8x2xf32>
    %82 = stablehlo.reshape %online.encoder.layer1.0.bn2.statistics : (tensor<8xf32>) -> tensor<2x4xf32>
    %83 = stablehlo.slice %82 [0:2, 2:4] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %84 = stablehlo.broadcast_in_dim %83, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x8x2xf32>
    %85 = stablehlo.multiply %81, %84 : tensor<2x8x2xf32>
    %86 = stablehlo.multiply %73, %85 : tensor<2x8x2xf32>
    %87 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %88 = stablehlo.reduce(%86 init: %87) applies stablehlo.add across dimensions = [1] : (tensor<2x8x2xf32>, tensor<f32>) -> tensor<2x2xf32>
    %89 = stablehlo.concatenate %75, %88, dim = 1 : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x4xf32>
    %sums = stablehlo.reshape %89 : (tensor<2x4xf32>) -> tensor<8xf32>
    return %d.encoder.layer1.0.conv3.z, %d.encoder.layer1.0.downsample.0.z, %71, %sums : tensor<4x2x2x8xbf16>, tensor<4x2x2x8xbf16>, tensor<4x2x2x2xbf16>, tensor<8xf32>
  }
}
module @weights_3 {
  func.func public @main(
      %encoder.layer1.0.conv2.y: tensor<4x2x2x2xbf16>,
      %d.encoder.layer1.0.conv3.z: tensor<4x2x2x8xbf16>
  ) -> (
      tensor<8x1x1x2xf32>
  ) {
    // gradient of encoder.layer1.0.conv3.weight
    %0 = stablehlo.convolution(%encoder.layer1.0.conv2.y, %d.encoder.layer1.0.conv3.z) dim_numbers = [f, 0, 1, b]x[i, 0, 1, o]->[f, 0, 1, b], window = {stride = [1, 1], pad = [[0, 0], [0, 0]], lhs_dilate = [1, 1], rhs_dilate = [1, 1]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64} : (tensor<4x2x2x2xbf16>, tensor<4x2x2x8xbf16>) -> tensor<8x1x1x2xbf16>
    %d.encoder.layer1.0.conv3.weight = stablehlo.convert %0 : (tensor<8x1x1x2xbf16>) -> tensor<8x1x1x2xf32>
    return %d.encoder.layer1.0.conv3.weight : tensor<8x1x1x2xf32>
  }
}
module @backward_4 {
  func.func public @main(
      %0: tensor<4x2x2x2xbf16>,
      %encoder.layer1.0.conv2.z: tensor<4x2x2x2xbf16>,
      %online.encoder.layer1.0.bn2.statistics: tensor<8xf32>,
      %encoder.layer1.0.bn2.means: tensor<8xf32>,
      %encoder.layer1.0.bn2.weight: tensor<2xf32>,
      %encoder.layer1.0.conv2.weight.bf16: tensor<2x3x3x2xbf16>,
      %encoder.layer1.0.conv1.y: tensor<4x2x2x2xbf16>,
      %encoder.layer1.0.conv1.z: tensor<4x2x2x2xbf16>,
      %online.encoder.layer1.0.bn1.statistics: tensor<8xf32>
  ) -> (
      tensor<4x2x2x2xbf16>,
      tensor<4x2x2x2xbf16>,
      tensor<8xf32>
  ) {
    // encoder.layer1.0.bn2: gradient
    %1 = stablehlo.convert %0 : (tensor<4x2x2x2xbf16>) -> tensor<4x2x2x2xf32>
    %2 = stablehlo.reshape %1 : (tensor<4x2x2x2xf32>) -> tensor<2x8x2xf32>
    %3 = stablehlo.convert %encoder.layer1.0.conv2.z : (tensor<4x2x2x2xbf16>) -> tensor<4x2x2x2xf32>
    %4 = stablehlo.reshape %3 : (tensor<4x2x2x2xf32>) -> tensor<2x8x2xf32>
    %5 = stablehlo.reshape %online.encoder.layer1.0.bn2.statistics : (tensor<8xf32>) -> tensor<2x4xf32>
    %6 = stablehlo.slice %5 [0:2, 0:2] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %7 = stablehlo.broadcast_in_dim %6, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x8x2xf32>
    %8 = stablehlo.subtract %4, %7 : tensor<2x8x2xf32>
    %9 = stablehlo.reshape %online.encoder.layer1.0.bn2.statistics : (tensor<8xf32>) -> tensor<2x4xf32>
    %10 = stablehlo.slice %9 [0:2, 2:4] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %11 = stablehlo.broadcast_in_dim %10, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x8x2xf32>
    %12 = stablehlo.multiply %8, %11 : tensor<2x8x2xf32>
    %13 = stablehlo.reshape %encoder.layer1.0.bn2.means : (tensor<8xf32>) -> tensor<2x4xf32>
    %14 = stablehlo.slice %13 [0:2, 0:2] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %15 = stablehlo.broadcast_in_dim %14, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x8x2xf32>
    %16 = stablehlo.subtract %2, %15 : tensor<2x8x2xf32>
    %17 = stablehlo.reshape %encoder.layer1.0.bn2.means : (tensor<8xf32>) -> tensor<2x4xf32>
    %18 = stablehlo.slice %17 [0:2, 2:4] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %19 = stablehlo.broadcast_in_dim %18, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x8x2xf32>
    %20 = stablehlo.multiply %12, %19 : tensor<2x8x2xf32>
    %21 = stablehlo.subtract %16, %20 : tensor<2x8x2xf32>
    %22 = stablehlo.reshape %online.encoder.layer1.0.bn2.statistics : (tensor<8xf32>) -> tensor<2x4xf32>
    %23 = stablehlo.slice %22 [0:2, 2:4] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %24 = stablehlo.broadcast_in_dim %23, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x8x2xf32>
    %25 = stablehlo.broadcast_in_dim %encoder.layer1.0.bn2.weight, dims = [2] : (tensor<2xf32>) -> tensor<2x8x2xf32>
    %26 = stablehlo.multiply %24, %25 : tensor<2x8x2xf32>
    %27 = stablehlo.multiply %21, %26 : tensor<2x8x2xf32>
    %28 = stablehlo.reshape %27 : (tensor<2x8x2xf32>) -> tensor<4x2x2x2xf32>
    %d.encoder.layer1.0.conv2.z = stablehlo.convert %28 : (tensor<4x2x2x2xf32>) -> tensor<4x2x2x2xbf16>
    // gradient of the input of encoder.layer1.0.conv2
    %29 = stablehlo.reverse %encoder.layer1.0.conv2.weight.bf16, dims = [1, 2] : (tensor<2x3x3x2xbf16>) -> tensor<2x3x3x2xbf16>
    %30 = stablehlo.convolution(%d.encoder.layer1.0.conv2.z, %29) dim_numbers = [b, 0, 1, f]x[i, 0, 1, o]->[b, 0, 1, f], window = {stride = [1, 1], pad = [[1, 1], [1, 1]], lhs_dilate = [1, 1], rhs_dilate = [1, 1]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64} : (tensor<4x2x2x2xbf16>, tensor<2x3x3x2xbf16>) -> tensor<4x2x2x2xbf16>
    %31 = stablehlo.constant dense<0x0000> : tensor<4x2x2x2xbf16>
    %32 = stablehlo.compare GT, %encoder.layer1.0.conv1.y, %31, FLOAT : (tensor<4x2x2x2xbf16>, tensor<4x2x2x2xbf16>) -> tensor<4x2x2x2xi1>
    %33 = stablehlo.constant dense<0x0000> : tensor<4x2x2x2xbf16>
    %34 = stablehlo.select %32, %30, %33 : (tensor<4x2x2x2xi1>, tensor<4x2x2x2xbf16>, tensor<4x2x2x2xbf16>) -> tensor<4x2x2x2xbf16>
    // encoder.layer1.0.bn1: sums of the gradient, and of its product with x̂
    %35 = stablehlo.convert %34 : (tensor<4x2x2x2xbf16>) -> tensor<4x2x2x2xf32>
    %36 = stablehlo.reshape %35 : (tensor<4x2x2x2xf32>) -> tensor<2x8x2xf32>
    %37 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %38 = stablehlo.reduce(%36 init: %37) applies stablehlo.add across dimensions = [1] : (tensor<2x8x2xf32>, tensor<f32>) -> tensor<2x2xf32>
    %39 = stablehlo.convert %encoder.layer1.0.conv1.z : (tensor<4x2x2x2xbf16>) -> tensor<4x2x2x2xf32>
    %40 = stablehlo.reshape %39 : (tensor<4x2x2x2xf32>) -> tensor<2x8x2xf32>
    %41 = stablehlo.reshape %online.encoder.layer1.0.bn1.statistics : (tensor<8xf32>) -> tensor<2x4xf32>
    %42 = stablehlo.slice %41 [0:2, 0:2] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %43 = stablehlo.broadcast_in_dim %42, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x8x2xf32>
    %44 = stablehlo.subtract %40, %43 : tensor<2x8x2xf32>
    %45 = stablehlo.reshape %online.encoder.layer1.0.bn1.statistics : (tensor<8xf32>) -> tensor<2x4xf32>
    %46 = stablehlo.slice %45 [0:2, 2:4] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %47 = stablehlo.broadcast_in_dim %46, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x8x2xf32>
    %48 = stablehlo.multiply %44, %47 : tensor<2x8x2xf32>
    %49 = stablehlo.multiply %36, %48 : tensor<2x8x2xf32>
    %50 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %51 = stablehlo.reduce(%49 init: %50) applies stablehlo.add across dimensions = [1] : (tensor<2x8x2xf32>, tensor<f32>) -> tensor<2x2xf32>
    %52 = stablehlo.concatenate %38, %51, dim = 1 : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x4xf32>
    %sums = stablehlo.reshape %52 : (tensor<2x4xf32>) -> tensor<8xf32>
    return %d.encoder.layer1.0.conv2.z, %34, %sums : tensor<4x2x2x2xbf16>, tensor<4x2x2x2xbf16>, tensor<8xf32>
  }
}
module @weights_4 {
  func.func public @main(
      %encoder.layer1.0.conv1.y: tensor<4x2x2x2xbf16>,
      %d.encoder.layer1.0.conv2.z: tensor<4x2x2x2xbf16>
  ) -> (
      tensor<2x3x3x2xf32>
  ) {
    // gradient of encoder.layer1.0.conv2.weight
    %0 = stablehlo.convolution(%encoder.layer1.0.conv1.y, %d.encoder.layer1.0.conv2.z) dim_numbers = [f, 0, 1, b]x[i, 0, 1, o]->[f, 0, 1, b], window = {stride = [1, 1], pad = [[1, 1], [1, 1]], lhs_dilate = [1, 1], rhs_dilate = [1, 1]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64} : (tensor<4x2x2x2xbf16>, tensor<4x2x2x2xbf16>) -> tensor<2x3x3x2xbf16>
    %d.encoder.layer1.0.conv2.weight = stablehlo.convert %0 : (tensor<2x3x3x2xbf16>) -> tensor<2x3x3x2xf32>
    return %d.encoder.layer1.0.conv2.weight : tensor<2x3x3x2xf32>
  }
}
module @backward_5 {
  func.func public @main(
      %0: tensor<4x2x2x2xbf16>,
      %encoder.layer1.0.conv1.z: tensor<4x2x2x2xbf16>,
      %online.encoder.layer1.0.bn1.statistics: tensor<8xf32>,
      %encoder.layer1.0.bn1.means: tensor<8xf32>,
      %encoder.layer1.0.bn1.weight: tensor<2xf32>,
      %encoder.layer1.0.conv1.weight.bf16: tensor<2x1x1x2xbf16>,
      %d.encoder.layer1.0.downsample.0.z: tensor<4x2x2x8xbf16>,
      %encoder.layer1.0.downsample.0.weight.bf16: tensor<8x1x1x2xbf16>,
      %encoder.conv1.y: tensor<4x4x4x2xbf16>,
      %pooled: tensor<4x2x2x2xbf16>,
      %encoder.conv1.z: tensor<4x4x4x2xbf16>,
      %online.encoder.bn1.statistics: tensor<8xf32>
  ) -> (
      tensor<4x2x2x2xbf16>,
      tensor<4x4x4x2xbf16>,
      tensor<8xf32>
  ) {
    // encoder.layer1.0.bn1: gradient
    %1 = stablehlo.convert %0 : (tensor<4x2x2x2xbf16>) -> tensor<4x2x2x2xf32>
    %2 = stablehlo.reshape %1 : (tensor<4x2x2x2xf32>) -> tensor<2x8x2xf32>
    %3 = stablehlo.convert %encoder.layer1.0.conv1.z : (tensor<4x2x2x2xbf16>) -> tensor<4x2x2x2xf32>
    %4 = stablehlo.reshape %3 : (tensor<4x2x2x2xf32>) -> tensor<2x8x2xf32>
    %5 = stablehlo.reshape %online.encoder.layer1.0.bn1.statistics : (tensor<8xf32>) -> tensor<2x4xf32>
    %6 = stablehlo.slice %5 [0:2, 0:2] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %7 = stablehlo.broadcast_in_dim %6, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x8x2xf32>
    %8 = stablehlo.subtract %4, %7 : tensor<2x8x2xf32>
    %9 = stablehlo.reshape %online.encoder.layer1.0.bn1.statistics : (tensor<8xf32>) -> tensor<2x4xf32>
    %10 = stablehlo.slice %9 [0:2, 2:4] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %11 = stablehlo.broadcast_in_dim %10, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x8x2xf32>
    %12 = stablehlo.multiply %8, %11 : tensor<2x8x2xf32>
    %13 = stablehlo.reshape %encoder.layer1.0.bn1.means : (tensor<8xf32>) -> tensor<2x4xf32>
    %14 = stablehlo.slice %13 [0:2, 0:2] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %15 = stablehlo.broadcast_in_dim %14, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x8x2xf32>
    %16 = stablehlo.subtract %2, %15 : tensor<2x8x2xf32>
    %17 = stablehlo.reshape %encoder.layer1.0.bn1.means : (tensor<8xf32>) -> tensor<2x4xf32>
    %18 = stablehlo.slice %17 [0:2, 2:4] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %19 = stablehlo.broadcast_in_dim %18, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x8x2xf32>
    %20 = stablehlo.multiply %12, %19 : tensor<2x8x2xf32>
    %21 = stablehlo.subtract %16, %20 : tensor<2x8x2xf32>
    %22 = stablehlo.reshape %online.encoder.layer1.0.bn1.statistics : (tensor<8xf32>) -> tensor<2x4xf32>
    %23 = stablehlo.slice %22 [0:2, 2:4] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %24 = stablehlo.broadcast_in_dim %23, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x8x2xf32>
    %25 = stablehlo.broadcast_in_dim %encoder.layer1.0.bn1.weight, dims = [2] : (tensor<2xf32>) -> tensor<2x8x2xf32>
    %26 = stablehlo.multiply %24, %25 : tensor<2x8x2xf32>
    %27 = stablehlo.multiply %21, %26 : tensor<2x8x2xf32>
    %28 = stablehlo.reshape %27 : (tensor<2x8x2xf32>) -> tensor<4x2x2x2xf32>
    %d.encoder.layer1.0.conv1.z = stablehlo.convert %28 : (tensor<4x2x2x2xf32>) -> tensor<4x2x2x2xbf16>
    // gradient of the input of encoder.layer1.0.conv1
    %29 = stablehlo.convolution(%d.encoder.layer1.0.conv1.z, %encoder.layer1.0.conv1.weight.bf16) dim_numbers = [b, 0, 1, f]x[i, 0, 1, o]->[b, 0, 1, f], window = {stride = [1, 1], pad = [[0, 0], [0, 0]], lhs_dilate = [1, 1], rhs_dilate = [1, 1]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64} : (tensor<4x2x2x2xbf16>, tensor<2x1x1x2xbf16>) -> tensor<4x2x2x2xbf16>
    // gradient of the input of encoder.layer1.0.downsample.0
    %30 = stablehlo.convolution(%d.encoder.layer1.0.downsample.0.z, %encoder.layer1.0.downsample.0.weight.bf16) dim_numbers = [b, 0, 1, f]x[i, 0, 1, o]->[b, 0, 1, f], window = {stride = [1, 1], pad = [[0, 0], [0, 0]], lhs_dilate = [1, 1], rhs_dilate = [1, 1]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64} : (tensor<4x2x2x8xbf16>, tensor<8x1x1x2xbf16>) -> tensor<4x2x2x2xbf16>
    %31 = stablehlo.add %29, %30 : tensor<4x2x2x2xbf16>
    // gradient of the max pooling
    %32 = stablehlo.constant dense<0xFF80> : tensor<bf16>
    %33 = stablehlo.pad %encoder.conv1.y, %32, low = [0, 0, 0, 0], high = [0, 1, 1, 0], interior = [0, 0, 0, 0] : (tensor<4x4x4x2xbf16>, tensor<bf16>) -> tensor<4x5x5x2xbf16>
    %34 = stablehlo.slice %33 [0:4, 0:3:2, 0:5, 0:2] : (tensor<4x5x5x2xbf16>) -> tensor<4x2x5x2xbf16>
    %35 = stablehlo.slice %34 [0:4, 0:2, 0:3:2, 0:2] : (tensor<4x2x5x2xbf16>) -> tensor<4x2x2x2xbf16>
    %36 = stablehlo.compare EQ, %35, %pooled, FLOAT : (tensor<4x2x2x2xbf16>, tensor<4x2x2x2xbf16>) -> tensor<4x2x2x2xi1>
    %37 = stablehlo.constant dense<0x0000> : tensor<4x2x2x2xbf16>
    %38 = stablehlo.select %36, %31, %37 : (tensor<4x2x2x2xi1>, tensor<4x2x2x2xbf16>, tensor<4x2x2x2xbf16>) -> tensor<4x2x2x2xbf16>
    %39 = stablehlo.constant dense<0x0000> : tensor<bf16>
    %40 = stablehlo.pad %38, %39, low = [0, 0, 0, 0], high = [0, 1, 1, 0], interior = [0, 1, 1, 0] : (tensor<4x2x2x2xbf16>, tensor<bf16>) -> tensor<4x4x4x2xbf16>
    %41 = stablehlo.slice %33 [0:4, 0:3:2, 0:5, 0:2] : (tensor<4x5x5x2xbf16>) -> tensor<4x2x5x2xbf16>
    %42 = stablehlo.slice %41 [0:4, 0:2, 1:4:2, 0:2] : (tensor<4x2x5x2xbf16>) -> tensor<4x2x2x2xbf16>
    %43 = stablehlo.compare EQ, %42, %pooled, FLOAT : (tensor<4x2x2x2xbf16>, tensor<4x2x2x2xbf16>) -> tensor<4x2x2x2xi1>
    %44 = stablehlo.not %36 : tensor<4x2x2x2xi1>
    %45 = stablehlo.and %43, %44 : tensor<4x2x2x2xi1>
    %46 = stablehlo.or %43, %36 : tensor<4x2x2x2xi1>
    %47 = stablehlo.constant dense<0x0000> : tensor<4x2x2x2xbf16>
    %48 = stablehlo.select %45, %31, %47 : (tensor<4x2x2x2xi1>, tensor<4x2x2x2xbf16>, tensor<4x2x2x2xbf16>) -> tensor<4x2x2x2xbf16>
    %49 = stablehlo.constant dense<0x0000> : tensor<bf16>
    %50 = stablehlo.pad %48, %49, low = [0, 0, 1, 0], high = [0, 1, 0, 0], interior = [0, 1, 1, 0] : (tensor<4x2x2x2xbf16>, tensor<bf16>) -> tensor<4x4x4x2xbf16>
    %51 = stablehlo.add %40, %50 : tensor<4x4x4x2xbf16>
    %52 = stablehlo.slice %33 [0:4, 0:3:2, 0:5, 0:2] : (tensor<4x5x5x2xbf16>) -> tensor<4x2x5x2xbf16>
    %53 = stablehlo.slice %52 [0:4, 0:2, 2:5:2, 0:2] : (tensor<4x2x5x2xbf16>) -> tensor<4x2x2x2xbf16>
    %54 = stablehlo.compare EQ, %53, %pooled, FLOAT : (tensor<4x2x2x2xbf16>, tensor<4x2x2x2xbf16>) -> tensor<4x2x2x2xi1>
    %55 = stablehlo.not %46 : tensor<4x2x2x2xi1>
    %56 = stablehlo.and %54, %55 : tensor<4x2x2x2xi1>
    %57 = stablehlo.or %54, %46 : tensor<4x2x2x2xi1>
    %58 = stablehlo.constant dense<0x0000> : tensor<4x2x2x2xbf16>
    %59 = stablehlo.select %56, %31, %58 : (tensor<4x2x2x2xi1>, tensor<4x2x2x2xbf16>, tensor<4x2x2x2xbf16>) -> tensor<4x2x2x2xbf16>
    %60 = stablehlo.constant dense<0x0000> : tensor<bf16>
    %61 = stablehlo.pad %59, %60, low = [0, 0, 2, 0], high = [0, 1, -1, 0], interior = [0, 1, 1, 0] : (tensor<4x2x2x2xbf16>, tensor<bf16>) -> tensor<4x4x4x2xbf16>
    %62 = stablehlo.add %51, %61 : tensor<4x4x4x2xbf16>
    %63 = stablehlo.slice %33 [0:4, 1:4:2, 0:5, 0:2] : (tensor<4x5x5x2xbf16>) -> tensor<4x2x5x2xbf16>
    %64 = stablehlo.slice %63 [0:4, 0:2, 0:3:2, 0:2] : (tensor<4x2x5x2xbf16>) -> tensor<4x2x2x2xbf16>
    %65 = stablehlo.compare EQ, %64, %pooled, FLOAT : (tensor<4x2x2x2xbf16>, tensor<4x2x2x2xbf16>) -> tensor<4x2x2x2xi1>
    %66 = stablehlo.not %57 : tensor<4x2x2x2xi1>
    %67 = stablehlo.and %65, %66 : tensor<4x2x2x2xi1>
    %68 = stablehlo.or %65, %57 : tensor<4x2x2x2xi1>
    %69 = stablehlo.constant dense<0x0000> : tensor<4x2x2x2xbf16>
    %70 = stablehlo.select %67, %31, %69 : (tensor<4x2x2x2xi1>, tensor<4x2x2x2xbf16>, tensor<4x2x2x2xbf16>) -> tensor<4x2x2x2xbf16>
    %71 = stablehlo.constant dense<0x0000> : tensor<bf16>
    %72 = stablehlo.pad %70, %71, low = [0, 1, 0, 0], high = [0, 0, 1, 0], interior = [0, 1, 1, 0] : (tensor<4x2x2x2xbf16>, tensor<bf16>) -> tensor<4x4x4x2xbf16>
    %73 = stablehlo.add %62, %72 : tensor<4x4x4x2xbf16>
    %74 = stablehlo.slice %33 [0:4, 1:4:2, 0:5, 0:2] : (tensor<4x5x5x2xbf16>) -> tensor<4x2x5x2xbf16>
    %75 = stablehlo.slice %74 [0:4, 0:2, 1:4:2, 0:2] : (tensor<4x2x5x2xbf16>) -> tensor<4x2x2x2xbf16>
    %76 = stablehlo.compare EQ, %75, %pooled, FLOAT : (tensor<4x2x2x2xbf16>, tensor<4x2x2x2xbf16>) -> tensor<4x2x2x2xi1>
    %77 = stablehlo.not %68 : tensor<4x2x2x2xi1>
    %78 = stablehlo.and %76, %77 : tensor<4x2x2x2xi1>
    %79 = stablehlo.or %76, %68 : tensor<4x2x2x2xi1>
    %80 = stablehlo.constant dense<0x0000> : tensor<4x2x2x2xbf16>
    %81 = stablehlo.select %78, %31, %80 : (tensor<4x2x2x2xi1>, tensor<4x2x2x2xbf16>, tensor<4x2x2x2xbf16>) -> tensor<4x2x2x2xbf16>
    %82 = stablehlo.constant dense<0x0000> : tensor<bf16>
    %83 = stablehlo.pad %81, %82, low = [0, 1, 1, 0], high = [0, 0, 0, 0], interior = [0, 1, 1, 0] : (tensor<4x2x2x2xbf16>, tensor<bf16>) -> tensor<4x4x4x2xbf16>
    %84 = stablehlo.add %73, %83 : tensor<4x4x4x2xbf16>
    %85 = stablehlo.slice %33 [0:4, 1:4:2, 0:5, 0:2] : (tensor<4x5x5x2xbf16>) -> tensor<4x2x5x2xbf16>
    %86 = stablehlo.slice %85 [0:4, 0:2, 2:5:2, 0:2] : (tensor<4x2x5x2xbf16>) -> tensor<4x2x2x2xbf16>
    %87 = stablehlo.compare EQ, %86, %pooled, FLOAT : (tensor<4x2x2x2xbf16>, tensor<4x2x2x2xbf16>) -> tensor<4x2x2x2xi1>
    %88 = stablehlo.not %79 : tensor<4x2x2x2xi1>
    %89 = stablehlo.and %87, %88 : tensor<4x2x2x2xi1>
    %90 = stablehlo.or %87, %79 : tensor<4x2x2x2xi1>
    %91 = stablehlo.constant dense<0x0000> : tensor<4x2x2x2xbf16>
    %92 = stablehlo.select %89, %31, %91 : (tensor<4x2x2x2xi1>, tensor<4x2x2x2xbf16>, tensor<4x2x2x2xbf16>) -> tensor<4x2x2x2xbf16>
    %93 = stablehlo.constant dense<0x0000> : tensor<bf16>
    %94 = stablehlo.pad %92, %93, low = [0, 1, 2, 0], high = [0, 0, -1, 0], interior = [0, 1, 1, 0] : (tensor<4x2x2x2xbf16>, tensor<bf16>) -> tensor<4x4x4x2xbf16>
    %95 = stablehlo.add %84, %94 : tensor<4x4x4x2xbf16>
    %96 = stablehlo.slice %33 [0:4, 2:5:2, 0:5, 0:2] : (tensor<4x5x5x2xbf16>) -> tensor<4x2x5x2xbf16>
    %97 = stablehlo.slice %96 [0:4, 0:2, 0:3:2, 0:2] : (tensor<4x2x5x2xbf16>) -> tensor<4x2x2x2xbf16>
    %98 = stablehlo.compare EQ, %97, %pooled, FLOAT : (tensor<4x2x2x2xbf16>, tensor<4x2x2x2xbf16>) -> tensor<4x2x2x2xi1>
    %99 = stablehlo.not %90 : tensor<4x2x2x2xi1>
    %100 = stablehlo.and %98, %99 : tensor<4x2x2x2xi1>
    %101 = stablehlo.or %98, %90 : tensor<4x2x2x2xi1>
    %102 = stablehlo.constant dense<0x0000> : tensor<4x2x2x2xbf16>
    %103 = stablehlo.select %100, %31, %102 : (tensor<4x2x2x2xi1>, tensor<4x2x2x2xbf16>, tensor<4x2x2x2xbf16>) -> tensor<4x2x2x2xbf16>
    %104 = stablehlo.constant dense<0x0000> : tensor<bf16>
    %105 = stablehlo.pad %103, %104, low = [0, 2, 0, 0], high = [0, -1, 1, 0], interior = [0, 1, 1, 0] : (tensor<4x2x2x2xbf16>, tensor<bf16>) -> tensor<4x4x4x2xbf16>
    %106 = stablehlo.add %95, %105 : tensor<4x4x4x2xbf16>
    %107 = stablehlo.slice %33 [0:4, 2:5:2, 0:5, 0:2] : (tensor<4x5x5x2xbf16>) -> tensor<4x2x5x2xbf16>
    %108 = stablehlo.slice %107 [0:4, 0:2, 1:4:2, 0:2] : (tensor<4x2x5x2xbf16>) -> tensor<4x2x2x2xbf16>
    %109 = stablehlo.compare EQ, %108, %pooled, FLOAT : (tensor<4x2x2x2xbf16>, tensor<4x2x2x2xbf16>) -> tensor<4x2x2x2xi1>
    %110 = stablehlo.not %101 : tensor<4x2x2x2xi1>
    %111 = stablehlo.and %109, %110 : tensor<4x2x2x2xi1>
    %112 = stablehlo.or %109, %101 : tensor<4x2x2x2xi1>
    %113 = stablehlo.constant dense<0x0000> : tensor<4x2x2x2xbf16>
    %114 = stablehlo.select %111, %31, %113 : (tensor<4x2x2x2xi1>, tensor<4x2x2x2xbf16>, tensor<4x2x2x2xbf16>) -> tensor<4x2x2x2xbf16>
    %115 = stablehlo.constant dense<0x0000> : tensor<bf16>
    %116 = stablehlo.pad %114, %115, low = [0, 2, 1, 0], high = [0, -1, 0, 0], interior = [0, 1, 1, 0] : (tensor<4x2x2x2xbf16>, tensor<bf16>) -> tensor<4x4x4x2xbf16>
    %117 = stablehlo.add %106, %116 : tensor<4x4x4x2xbf16>
    %118 = stablehlo.slice %33 [0:4, 2:5:2, 0:5, 0:2] : (tensor<4x5x5x2xbf16>) -> tensor<4x2x5x2xbf16>
    %119 = stablehlo.slice %118 [0:4, 0:2, 2:5:2, 0:2] : (tensor<4x2x5x2xbf16>) -> tensor<4x2x2x2xbf16>
    %120 = stablehlo.compare EQ, %119, %pooled, FLOAT : (tensor<4x2x2x2xbf16>, tensor<4x2x2x2xbf16>) -> tensor<4x2x2x2xi1>
    %121 = stablehlo.not %112 : tensor<4x2x2x2xi1>
    %122 = stablehlo.and %120, %121 : tensor<4x2x2x2xi1>
    %123 = stablehlo.or %120, %112 : tensor<4x2x2x2xi1>
    %124 = stablehlo.constant dense<0x0000> : tensor<4x2x2x2xbf16>
    %125 = stablehlo.select %122, %31, %124 : (tensor<4x2x2x2xi1>, tensor<4x2x2x2xbf16>, tensor<4x2x2x2xbf16>) -> tensor<4x2x2x2xbf16>
    %126 = stablehlo.constant dense<0x0000> : tensor<bf16>
    %127 = stablehlo.pad %125, %126, low = [0, 2, 2, 0], high = [0, -1, -1, 0], interior = [0, 1, 1, 0] : (tensor<4x2x2x2xbf16>, tensor<bf16>) -> tensor<4x4x4x2xbf16>
    %128 = stablehlo.add %117, %127 : tensor<4x4x4x2xbf16>
    %129 = stablehlo.constant dense<0x0000> : tensor<4x4x4x2xbf16>
    %130 = stablehlo.compare GT, %encoder.conv1.y, %129, FLOAT : (tensor<4x4x4x2xbf16>, tensor<4x4x4x2xbf16>) -> tensor<4x4x4x2xi1>
    %131 = stablehlo.constant dense<0x0000> : tensor<4x4x4x2xbf16>
    %132 = stablehlo.select %130, %128, %131 : (tensor<4x4x4x2xi1>, tensor<4x4x4x2xbf16>, tensor<4x4x4x2xbf16>) -> tensor<4x4x4x2xbf16>
    // encoder.bn1: sums of the gradient, and of its product with x̂
    %133 = stablehlo.convert %132 : (tensor<4x4x4x2xbf16>) -> tensor<4x4x4x2xf32>
    %134 = stablehlo.reshape %133 : (tensor<4x4x4x2xf32>) -> tensor<2x32x2xf32>
    %135 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %136 = stablehlo.reduce(%134 init: %135) applies stablehlo.add across dimensions = [1] : (tensor<2x32x2xf32>, tensor<f32>) -> tensor<2x2xf32>
    %137 = stablehlo.convert %encoder.conv1.z : (tensor<4x4x4x2xbf16>) -> tensor<4x4x4x2xf32>
    %138 = stablehlo.reshape %137 : (tensor<4x4x4x2xf32>) -> tensor<2x32x2xf32>
    %139 = stablehlo.reshape %online.encoder.bn1.statistics : (tensor<8xf32>) -> tensor<2x4xf32>
    %140 = stablehlo.slice %139 [0:2, 0:2] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %141 = stablehlo.broadcast_in_dim %140, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x32x2xf32>
    %142 = stablehlo.subtract %138, %141 : tensor<2x32x2xf32>
    %143 = stablehlo.reshape %online.encoder.bn1.statistics : (tensor<8xf32>) -> tensor<2x4xf32>
    %144 = stablehlo.slice %143 [0:2, 2:4] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %145 = stablehlo.broadcast_in_dim %144, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x32x2xf32>
    %146 = stablehlo.multiply %142, %145 : tensor<2x32x2xf32>
    %147 = stablehlo.multiply %134, %146 : tensor<2x32x2xf32>
    %148 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %149 = stablehlo.reduce(%147 init: %148) applies stablehlo.add across dimensions = [1] : (tensor<2x32x2xf32>, tensor<f32>) -> tensor<2x2xf32>
    %150 = stablehlo.concatenate %136, %149, dim = 1 : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x4xf32>
    %sums = stablehlo.reshape %150 : (tensor<2x4xf32>) -> tensor<8xf32>
    return %d.encoder.layer1.0.conv1.z, %132, %sums : tensor<4x2x2x2xbf16>, tensor<4x4x4x2xbf16>, tensor<8xf32>
  }
}
module @weights_5 {
  func.func public @main(
      %pooled: tensor<4x2x2x2xbf16>,
      %d.encoder.layer1.0.conv1.z: tensor<4x2x2x2xbf16>,
      %d.encoder.layer1.0.downsample.0.z: tensor<4x2x2x8xbf16>
  ) -> (
      tensor<2x1x1x2xf32>,
      tensor<8x1x1x2xf32>
  ) {
    // gradient of encoder.layer1.0.conv1.weight
    %0 = stablehlo.convolution(%pooled, %d.encoder.layer1.0.conv1.z) dim_numbers = [f, 0, 1, b]x[i, 0, 1, o]->[f, 0, 1, b], window = {stride = [1, 1], pad = [[0, 0], [0, 0]], lhs_dilate = [1, 1], rhs_dilate = [1, 1]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64} : (tensor<4x2x2x2xbf16>, tensor<4x2x2x2xbf16>) -> tensor<2x1x1x2xbf16>
    %d.encoder.layer1.0.conv1.weight = stablehlo.convert %0 : (tensor<2x1x1x2xbf16>) -> tensor<2x1x1x2xf32>
    // gradient of encoder.layer1.0.downsample.0.weight
    %1 = stablehlo.convolution(%pooled, %d.encoder.layer1.0.downsample.0.z) dim_numbers = [f, 0, 1, b]x[i, 0, 1, o]->[f, 0, 1, b], window = {stride = [1, 1], pad = [[0, 0], [0, 0]], lhs_dilate = [1, 1], rhs_dilate = [1, 1]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64} : (tensor<4x2x2x2xbf16>, tensor<4x2x2x8xbf16>) -> tensor<8x1x1x2xbf16>
    %d.encoder.layer1.0.downsample.0.weight = stablehlo.convert %1 : (tensor<8x1x1x2xbf16>) -> tensor<8x1x1x2xf32>
    return %d.encoder.layer1.0.conv1.weight, %d.encoder.layer1.0.downsample.0.weight : tensor<2x1x1x2xf32>, tensor<8x1x1x2xf32>
  }
}
module @backward_6 {
  func.func public @main(
      %0: tensor<4x4x4x2xbf16>,
      %encoder.conv1.z: tensor<4x4x4x2xbf16>,
      %online.encoder.bn1.statistics: tensor<8xf32>,
      %encoder.bn1.means: tensor<8xf32>,
      %encoder.bn1.weight: tensor<2xf32>
  ) -> (
      tensor<4x4x4x2xbf16>
  ) {
    // encoder.bn1: gradient
    %1 = stablehlo.convert %0 : (tensor<4x4x4x2xbf16>) -> tensor<4x4x4x2xf32>
    %2 = stablehlo.reshape %1 : (tensor<4x4x4x2xf32>) -> tensor<2x32x2xf32>
    %3 = stablehlo.convert %encoder.conv1.z : (tensor<4x4x4x2xbf16>) -> tensor<4x4x4x2xf32>
    %4 = stablehlo.reshape %3 : (tensor<4x4x4x2xf32>) -> tensor<2x32x2xf32>
    %5 = stablehlo.reshape %online.encoder.bn1.statistics : (tensor<8xf32>) -> tensor<2x4xf32>
    %6 = stablehlo.slice %5 [0:2, 0:2] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %7 = stablehlo.broadcast_in_dim %6, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x32x2xf32>
    %8 = stablehlo.subtract %4, %7 : tensor<2x32x2xf32>
    %9 = stablehlo.reshape %online.encoder.bn1.statistics : (tensor<8xf32>) -> tensor<2x4xf32>
    %10 = stablehlo.slice %9 [0:2, 2:4] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %11 = stablehlo.broadcast_in_dim %10, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x32x2xf32>
    %12 = stablehlo.multiply %8, %11 : tensor<2x32x2xf32>
    %13 = stablehlo.reshape %encoder.bn1.means : (tensor<8xf32>) -> tensor<2x4xf32>
    %14 = stablehlo.slice %13 [0:2, 0:2] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %15 = stablehlo.broadcast_in_dim %14, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x32x2xf32>
    %16 = stablehlo.subtract %2, %15 : tensor<2x32x2xf32>
    %17 = stablehlo.reshape %encoder.bn1.means : (tensor<8xf32>) -> tensor<2x4xf32>
    %18 = stablehlo.slice %17 [0:2, 2:4] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %19 = stablehlo.broadcast_in_dim %18, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x32x2xf32>
    %20 = stablehlo.multiply %12, %19 : tensor<2x32x2xf32>
    %21 = stablehlo.subtract %16, %20 : tensor<2x32x2xf32>
    %22 = stablehlo.reshape %online.encoder.bn1.statistics : (tensor<8xf32>) -> tensor<2x4xf32>
    %23 = stablehlo.slice %22 [0:2, 2:4] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %24 = stablehlo.broadcast_in_dim %23, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x32x2xf32>
    %25 = stablehlo.broadcast_in_dim %encoder.bn1.weight, dims = [2] : (tensor<2xf32>) -> tensor<2x32x2xf32>
    %26 = stablehlo.multiply %24, %25 : tensor<2x32x2xf32>
    %27 = stablehlo.multiply %21, %26 : tensor<2x32x2xf32>
    %28 = stablehlo.reshape %27 : (tensor<2x32x2xf32>) -> tensor<4x4x4x2xf32>
    %d.encoder.conv1.z = stablehlo.convert %28 : (tensor<4x4x4x2xf32>) -> tensor<4x4x4x2xbf16>
    return %d.encoder.conv1.z : tensor<4x4x4x2xbf16>
  }
}
module @weights_6 {
  func.func public @main(
      %images: tensor<4x8x8x3xbf16>,
      %d.encoder.conv1.z: tensor<4x4x4x2xbf16>
  ) -> (
      tensor<2x7x7x3xf32>
  ) {
    // gradient of encoder.conv1.weight
    %0 = stablehlo.convolution(%images, %d.encoder.conv1.z) dim_numbers = [f, 0, 1, b]x[i, 0, 1, o]->[f, 0, 1, b], window = {stride = [1, 1], pad = [[2, 3], [2, 3]], lhs_dilate = [1, 1], rhs_dilate = [2, 2]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64} : (tensor<4x8x8x3xbf16>, tensor<4x4x4x2xbf16>) -> tensor<2x7x7x3xbf16>
    %d.encoder.conv1.weight = stablehlo.convert %0 : (tensor<2x7x7x3xbf16>) -> tensor<2x7x7x3xf32>
    return %d.encoder.conv1.weight : tensor<2x7x7x3xf32>
  }
}
module @update {
  func.func public @main(
      %theta: tensor<582xf32>,
      %gradient: tensor<582xf32>,
      %momentum: tensor<582xf32>,
      %rate: tensor<f32>
  ) -> (
      tensor<582xf32>,
      tensor<582xf32>,
      tensor<27xf32>
  ) {
    // encoder.conv1.weight
    %0 = stablehlo.slice %theta [0:294] : (tensor<582xf32>) -> tensor<294xf32>
    %1 = stablehlo.slice %gradient [0:294] : (tensor<582xf32>) -> tensor<294xf32>
    %2 = stablehlo.multiply %1, %1 : tensor<294xf32>
    %3 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %4 = stablehlo.reduce(%2 init: %3) applies stablehlo.add across dimensions = [0] : (tensor<294xf32>, tensor<f32>) -> tensor<f32>
    %5 = stablehlo.reshape %4 : (tensor<f32>) -> tensor<1xf32>
    %6 = stablehlo.constant dense<1.5e-06> : tensor<294xf32>
    %7 = stablehlo.multiply %0, %6 : tensor<294xf32>
    %8 = stablehlo.add %1, %7 : tensor<294xf32>
    %9 = stablehlo.multiply %0, %0 : tensor<294xf32>
    %10 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %11 = stablehlo.reduce(%9 init: %10) applies stablehlo.add across dimensions = [0] : (tensor<294xf32>, tensor<f32>) -> tensor<f32>
    %12 = stablehlo.sqrt %11 : tensor<f32>
    %13 = stablehlo.multiply %8, %8 : tensor<294xf32>
    %14 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %15 = stablehlo.reduce(%13 init: %14) applies stablehlo.add across dimensions = [0] : (tensor<294xf32>, tensor<f32>) -> tensor<f32>
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
    %27 = stablehlo.broadcast_in_dim %26, dims = [] : (tensor<f32>) -> tensor<294xf32>
    %28 = stablehlo.multiply %8, %27 : tensor<294xf32>
    %29 = stablehlo.slice %momentum [0:294] : (tensor<582xf32>) -> tensor<294xf32>
    %30 = stablehlo.constant dense<9.0e-01> : tensor<294xf32>
    %31 = stablehlo.multiply %29, %30 : tensor<294xf32>
    %32 = stablehlo.add %31, %28 : tensor<294xf32>
    %33 = stablehlo.broadcast_in_dim %rate, dims = [] : (tensor<f32>) -> tensor<294xf32>
    %34 = stablehlo.multiply %32, %33 : tensor<294xf32>
    %35 = stablehlo.subtract %0, %34 : tensor<294xf32>
    // encoder.bn1.weight
    %36 = stablehlo.slice %theta [294:296] : (tensor<582xf32>) -> tensor<2xf32>
    %37 = stablehlo.slice %gradient [294:296] : (tensor<582xf32>) -> tensor<2xf32>
    %38 = stablehlo.multiply %37, %37 : tensor<2xf32>
    %39 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %40 = stablehlo.reduce(%38 init: %39) applies stablehlo.add across dimensions = [0] : (tensor<2xf32>, tensor<f32>) -> tensor<f32>
    %41 = stablehlo.reshape %40 : (tensor<f32>) -> tensor<1xf32>
    %42 = stablehlo.slice %momentum [294:296] : (tensor<582xf32>) -> tensor<2xf32>
    %43 = stablehlo.constant dense<9.0e-01> : tensor<2xf32>
    %44 = stablehlo.multiply %42, %43 : tensor<2xf32>
    %45 = stablehlo.add %44, %37 : tensor<2xf32>
    %46 = stablehlo.broadcast_in_dim %rate, dims = [] : (tensor<f32>) -> tensor<2xf32>
    %47 = stablehlo.multiply %45, %46 : tensor<2xf32>
    %48 = stablehlo.subtract %36, %47 : tensor<2xf32>
    // encoder.bn1.bias
    %49 = stablehlo.slice %theta [296:298] : (tensor<582xf32>) -> tensor<2xf32>
    %50 = stablehlo.slice %gradient [296:298] : (tensor<582xf32>) -> tensor<2xf32>
    %51 = stablehlo.multiply %50, %50 : tensor<2xf32>
    %52 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %53 = stablehlo.reduce(%51 init: %52) applies stablehlo.add across dimensions = [0] : (tensor<2xf32>, tensor<f32>) -> tensor<f32>
    %54 = stablehlo.reshape %53 : (tensor<f32>) -> tensor<1xf32>
    %55 = stablehlo.slice %momentum [296:298] : (tensor<582xf32>) -> tensor<2xf32>
    %56 = stablehlo.constant dense<9.0e-01> : tensor<2xf32>
    %57 = stablehlo.multiply %55, %56 : tensor<2xf32>
    %58 = stablehlo.add %57, %50 : tensor<2xf32>
    %59 = stablehlo.broadcast_in_dim %rate, dims = [] : (tensor<f32>) -> tensor<2xf32>
    %60 = stablehlo.multiply %58, %59 : tensor<2xf32>
    %61 = stablehlo.subtract %49, %60 : tensor<2xf32>
    // encoder.layer1.0.conv1.weight
    %62 = stablehlo.slice %theta [298:302] : (tensor<582xf32>) -> tensor<4xf32>
    %63 = stablehlo.slice %gradient [298:302] : (tensor<582xf32>) -> tensor<4xf32>
    %64 = stablehlo.multiply %63, %63 : tensor<4xf32>
    %65 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %66 = stablehlo.reduce(%64 init: %65) applies stablehlo.add across dimensions = [0] : (tensor<4xf32>, tensor<f32>) -> tensor<f32>
    %67 = stablehlo.reshape %66 : (tensor<f32>) -> tensor<1xf32>
    %68 = stablehlo.constant dense<1.5e-06> : tensor<4xf32>
    %69 = stablehlo.multiply %62, %68 : tensor<4xf32>
    %70 = stablehlo.add %63, %69 : tensor<4xf32>
    %71 = stablehlo.multiply %62, %62 : tensor<4xf32>
    %72 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %73 = stablehlo.reduce(%71 init: %72) applies stablehlo.add across dimensions = [0] : (tensor<4xf32>, tensor<f32>) -> tensor<f32>
    %74 = stablehlo.sqrt %73 : tensor<f32>
    %75 = stablehlo.multiply %70, %70 : tensor<4xf32>
    %76 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %77 = stablehlo.reduce(%75 init: %76) applies stablehlo.add across dimensions = [0] : (tensor<4xf32>, tensor<f32>) -> tensor<f32>
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
    %89 = stablehlo.broadcast_in_dim %88, dims = [] : (tensor<f32>) -> tensor<4xf32>
    %90 = stablehlo.multiply %70, %89 : tensor<4xf32>
    %91 = stablehlo.slice %momentum [298:302] : (tensor<582xf32>) -> tensor<4xf32>
    %92 = stablehlo.constant dense<9.0e-01> : tensor<4xf32>
    %93 = stablehlo.multiply %91, %92 : tensor<4xf32>
    %94 = stablehlo.add %93, %90 : tensor<4xf32>
    %95 = stablehlo.broadcast_in_dim %rate, dims = [] : (tensor<f32>) -> tensor<4xf32>
    %96 = stablehlo.multiply %94, %95 : tensor<4xf32>
    %97 = stablehlo.subtract %62, %96 : tensor<4xf32>
    // encoder.layer1.0.bn1.weight
    %98 = stablehlo.slice %theta [302:304] : (tensor<582xf32>) -> tensor<2xf32>
    %99 = stablehlo.slice %gradient [302:304] : (tensor<582xf32>) -> tensor<2xf32>
    %100 = stablehlo.multiply %99, %99 : tensor<2xf32>
    %101 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %102 = stablehlo.reduce(%100 init: %101) applies stablehlo.add across dimensions = [0] : (tensor<2xf32>, tensor<f32>) -> tensor<f32>
    %103 = stablehlo.reshape %102 : (tensor<f32>) -> tensor<1xf32>
    %104 = stablehlo.slice %momentum [302:304] : (tensor<582xf32>) -> tensor<2xf32>
    %105 = stablehlo.constant dense<9.0e-01> : tensor<2xf32>
    %106 = stablehlo.multiply %104, %105 : tensor<2xf32>
    %107 = stablehlo.add %106, %99 : tensor<2xf32>
    %108 = stablehlo.broadcast_in_dim %rate, dims = [] : (tensor<f32>) -> tensor<2xf32>
    %109 = stablehlo.multiply %107, %108 : tensor<2xf32>
    %110 = stablehlo.subtract %98, %109 : tensor<2xf32>
    // encoder.layer1.0.bn1.bias
    %111 = stablehlo.slice %theta [304:306] : (tensor<582xf32>) -> tensor<2xf32>
    %112 = stablehlo.slice %gradient [304:306] : (tensor<582xf32>) -> tensor<2xf32>
    %113 = stablehlo.multiply %112, %112 : tensor<2xf32>
    %114 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %115 = stablehlo.reduce(%113 init: %114) applies stablehlo.add across dimensions = [0] : (tensor<2xf32>, tensor<f32>) -> tensor<f32>
    %116 = stablehlo.reshape %115 : (tensor<f32>) -> tensor<1xf32>
    %117 = stablehlo.slice %momentum [304:306] : (tensor<582xf32>) -> tensor<2xf32>
    %118 = stablehlo.constant dense<9.0e-01> : tensor<2xf32>
    %119 = stablehlo.multiply %117, %118 : tensor<2xf32>
    %120 = stablehlo.add %119, %112 : tensor<2xf32>
    %121 = stablehlo.broadcast_in_dim %rate, dims = [] : (tensor<f32>) -> tensor<2xf32>
    %122 = stablehlo.multiply %120, %121 : tensor<2xf32>
    %123 = stablehlo.subtract %111, %122 : tensor<2xf32>
    // encoder.layer1.0.conv2.weight
    %124 = stablehlo.slice %theta [306:342] : (tensor<582xf32>) -> tensor<36xf32>
    %125 = stablehlo.slice %gradient [306:342] : (tensor<582xf32>) -> tensor<36xf32>
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
    %153 = stablehlo.slice %momentum [306:342] : (tensor<582xf32>) -> tensor<36xf32>
    %154 = stablehlo.constant dense<9.0e-01> : tensor<36xf32>
    %155 = stablehlo.multiply %153, %154 : tensor<36xf32>
    %156 = stablehlo.add %155, %152 : tensor<36xf32>
    %157 = stablehlo.broadcast_in_dim %rate, dims = [] : (tensor<f32>) -> tensor<36xf32>
    %158 = stablehlo.multiply %156, %157 : tensor<36xf32>
    %159 = stablehlo.subtract %124, %158 : tensor<36xf32>
    // encoder.layer1.0.bn2.weight
    %160 = stablehlo.slice %theta [342:344] : (tensor<582xf32>) -> tensor<2xf32>
    %161 = stablehlo.slice %gradient [342:344] : (tensor<582xf32>) -> tensor<2xf32>
    %162 = stablehlo.multiply %161, %161 : tensor<2xf32>
    %163 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %164 = stablehlo.reduce(%162 init: %163) applies stablehlo.add across dimensions = [0] : (tensor<2xf32>, tensor<f32>) -> tensor<f32>
    %165 = stablehlo.reshape %164 : (tensor<f32>) -> tensor<1xf32>
    %166 = stablehlo.slice %momentum [342:344] : (tensor<582xf32>) -> tensor<2xf32>
    %167 = stablehlo.constant dense<9.0e-01> : tensor<2xf32>
    %168 = stablehlo.multiply %166, %167 : tensor<2xf32>
    %169 = stablehlo.add %168, %161 : tensor<2xf32>
    %170 = stablehlo.broadcast_in_dim %rate, dims = [] : (tensor<f32>) -> tensor<2xf32>
    %171 = stablehlo.multiply %169, %170 : tensor<2xf32>
    %172 = stablehlo.subtract %160, %171 : tensor<2xf32>
    // encoder.layer1.0.bn2.bias
    %173 = stablehlo.slice %theta [344:346] : (tensor<582xf32>) -> tensor<2xf32>
    %174 = stablehlo.slice %gradient [344:346] : (tensor<582xf32>) -> tensor<2xf32>
    %175 = stablehlo.multiply %174, %174 : tensor<2xf32>
    %176 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %177 = stablehlo.reduce(%175 init: %176) applies stablehlo.add across dimensions = [0] : (tensor<2xf32>, tensor<f32>) -> tensor<f32>
    %178 = stablehlo.reshape %177 : (tensor<f32>) -> tensor<1xf32>
    %179 = stablehlo.slice %momentum [344:346] : (tensor<582xf32>) -> tensor<2xf32>
    %180 = stablehlo.constant dense<9.0e-01> : tensor<2xf32>
    %181 = stablehlo.multiply %179, %180 : tensor<2xf32>
    %182 = stablehlo.add %181, %174 : tensor<2xf32>
    %183 = stablehlo.broadcast_in_dim %rate, dims = [] : (tensor<f32>) -> tensor<2xf32>
    %184 = stablehlo.multiply %182, %183 : tensor<2xf32>
    %185 = stablehlo.subtract %173, %184 : tensor<2xf32>
    // encoder.layer1.0.conv3.weight
    %186 = stablehlo.slice %theta [346:362] : (tensor<582xf32>) -> tensor<16xf32>
    %187 = stablehlo.slice %gradient [346:362] : (tensor<582xf32>) -> tensor<16xf32>
    %188 = stablehlo.multiply %187, %187 : tensor<16xf32>
    %189 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %190 = stablehlo.reduce(%188 init: %189) applies stablehlo.add across dimensions = [0] : (tensor<16xf32>, tensor<f32>) -> tensor<f32>
    %191 = stablehlo.reshape %190 : (tensor<f32>) -> tensor<1xf32>
    %192 = stablehlo.constant dense<1.5e-06> : tensor<16xf32>
    %193 = stablehlo.multiply %186, %192 : tensor<16xf32>
    %194 = stablehlo.add %187, %193 : tensor<16xf32>
    %195 = stablehlo.multiply %186, %186 : tensor<16xf32>
    %196 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %197 = stablehlo.reduce(%195 init: %196) applies stablehlo.add across dimensions = [0] : (tensor<16xf32>, tensor<f32>) -> tensor<f32>
    %198 = stablehlo.sqrt %197 : tensor<f32>
    %199 = stablehlo.multiply %194, %194 : tensor<16xf32>
    %200 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %201 = stablehlo.reduce(%199 init: %200) applies stablehlo.add across dimensions = [0] : (tensor<16xf32>, tensor<f32>) -> tensor<f32>
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
    %213 = stablehlo.broadcast_in_dim %212, dims = [] : (tensor<f32>) -> tensor<16xf32>
    %214 = stablehlo.multiply %194, %213 : tensor<16xf32>
    %215 = stablehlo.slice %momentum [346:362] : (tensor<582xf32>) -> tensor<16xf32>
    %216 = stablehlo.constant dense<9.0e-01> : tensor<16xf32>
    %217 = stablehlo.multiply %215, %216 : tensor<16xf32>
    %218 = stablehlo.add %217, %214 : tensor<16xf32>
    %219 = stablehlo.broadcast_in_dim %rate, dims = [] : (tensor<f32>) -> tensor<16xf32>
    %220 = stablehlo.multiply %218, %219 : tensor<16xf32>
    %221 = stablehlo.subtract %186, %220 : tensor<16xf32>
    // encoder.layer1.0.bn3.weight
    %222 = stablehlo.slice %theta [362:370] : (tensor<582xf32>) -> tensor<8xf32>
    %223 = stablehlo.slice %gradient [362:370] : (tensor<582xf32>) -> tensor<8xf32>
    %224 = stablehlo.multiply %223, %223 : tensor<8xf32>
    %225 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %226 = stablehlo.reduce(%224 init: %225) applies stablehlo.add across dimensions = [0] : (tensor<8xf32>, tensor<f32>) -> tensor<f32>
    %227 = stablehlo.reshape %226 : (tensor<f32>) -> tensor<1xf32>
    %228 = stablehlo.slice %momentum [362:370] : (tensor<582xf32>) -> tensor<8xf32>
    %229 = stablehlo.constant dense<9.0e-01> : tensor<8xf32>
    %230 = stablehlo.multiply %228, %229 : tensor<8xf32>
    %231 = stablehlo.add %230, %223 : tensor<8xf32>
    %232 = stablehlo.broadcast_in_dim %rate, dims = [] : (tensor<f32>) -> tensor<8xf32>
    %233 = stablehlo.multiply %231, %232 : tensor<8xf32>
    %234 = stablehlo.subtract %222, %233 : tensor<8xf32>
    // encoder.layer1.0.bn3.bias
    %235 = stablehlo.slice %theta [370:378] : (tensor<582xf32>) -> tensor<8xf32>
    %236 = stablehlo.slice %gradient [370:378] : (tensor<582xf32>) -> tensor<8xf32>
    %237 = stablehlo.multiply %236, %236 : tensor<8xf32>
    %238 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %239 = stablehlo.reduce(%237 init: %238) applies stablehlo.add across dimensions = [0] : (tensor<8xf32>, tensor<f32>) -> tensor<f32>
    %240 = stablehlo.reshape %239 : (tensor<f32>) -> tensor<1xf32>
    %241 = stablehlo.slice %momentum [370:378] : (tensor<582xf32>) -> tensor<8xf32>
    %242 = stablehlo.constant dense<9.0e-01> : tensor<8xf32>
    %243 = stablehlo.multiply %241, %242 : tensor<8xf32>
    %244 = stablehlo.add %243, %236 : tensor<8xf32>
    %245 = stablehlo.broadcast_in_dim %rate, dims = [] : (tensor<f32>) -> tensor<8xf32>
    %246 = stablehlo.multiply %244, %245 : tensor<8xf32>
    %247 = stablehlo.subtract %235, %246 : tensor<8xf32>
    // encoder.layer1.0.downsample.0.weight
    %248 = stablehlo.slice %theta [378:394] : (tensor<582xf32>) -> tensor<16xf32>
    %249 = stablehlo.slice %gradient [378:394] : (tensor<582xf32>) -> tensor<16xf32>
    %250 = stablehlo.multiply %249, %249 : tensor<16xf32>
    %251 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %252 = stablehlo.reduce(%250 init: %251) applies stablehlo.add across dimensions = [0] : (tensor<16xf32>, tensor<f32>) -> tensor<f32>
    %253 = stablehlo.reshape %252 : (tensor<f32>) -> tensor<1xf32>
    %254 = stablehlo.constant dense<1.5e-06> : tensor<16xf32>
    %255 = stablehlo.multiply %248, %254 : tensor<16xf32>
    %256 = stablehlo.add %249, %255 : tensor<16xf32>
    %257 = stablehlo.multiply %248, %248 : tensor<16xf32>
    %258 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %259 = stablehlo.reduce(%257 init: %258) applies stablehlo.add across dimensions = [0] : (tensor<16xf32>, tensor<f32>) -> tensor<f32>
    %260 = stablehlo.sqrt %259 : tensor<f32>
    %261 = stablehlo.multiply %256, %256 : tensor<16xf32>
    %262 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %263 = stablehlo.reduce(%261 init: %262) applies stablehlo.add across dimensions = [0] : (tensor<16xf32>, tensor<f32>) -> tensor<f32>
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
    %275 = stablehlo.broadcast_in_dim %274, dims = [] : (tensor<f32>) -> tensor<16xf32>
    %276 = stablehlo.multiply %256, %275 : tensor<16xf32>
    %277 = stablehlo.slice %momentum [378:394] : (tensor<582xf32>) -> tensor<16xf32>
    %278 = stablehlo.constant dense<9.0e-01> : tensor<16xf32>
    %279 = stablehlo.multiply %277, %278 : tensor<16xf32>
    %280 = stablehlo.add %279, %276 : tensor<16xf32>
    %281 = stablehlo.broadcast_in_dim %rate, dims = [] : (tensor<f32>) -> tensor<16xf32>
    %282 = stablehlo.multiply %280, %281 : tensor<16xf32>
    %283 = stablehlo.subtract %248, %282 : tensor<16xf32>
    // encoder.layer1.0.downsample.1.weight
    %284 = stablehlo.slice %theta [394:402] : (tensor<582xf32>) -> tensor<8xf32>
    %285 = stablehlo.slice %gradient [394:402] : (tensor<582xf32>) -> tensor<8xf32>
    %286 = stablehlo.multiply %285, %285 : tensor<8xf32>
    %287 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %288 = stablehlo.reduce(%286 init: %287) applies stablehlo.add across dimensions = [0] : (tensor<8xf32>, tensor<f32>) -> tensor<f32>
    %289 = stablehlo.reshape %288 : (tensor<f32>) -> tensor<1xf32>
    %290 = stablehlo.slice %momentum [394:402] : (tensor<582xf32>) -> tensor<8xf32>
    %291 = stablehlo.constant dense<9.0e-01> : tensor<8xf32>
    %292 = stablehlo.multiply %290, %291 : tensor<8xf32>
    %293 = stablehlo.add %292, %285 : tensor<8xf32>
    %294 = stablehlo.broadcast_in_dim %rate, dims = [] : (tensor<f32>) -> tensor<8xf32>
    %295 = stablehlo.multiply %293, %294 : tensor<8xf32>
    %296 = stablehlo.subtract %284, %295 : tensor<8xf32>
    // encoder.layer1.0.downsample.1.bias
    %297 = stablehlo.slice %theta [402:410] : (tensor<582xf32>) -> tensor<8xf32>
    %298 = stablehlo.slice %gradient [402:410] : (tensor<582xf32>) -> tensor<8xf32>
    %299 = stablehlo.multiply %298, %298 : tensor<8xf32>
    %300 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %301 = stablehlo.reduce(%299 init: %300) applies stablehlo.add across dimensions = [0] : (tensor<8xf32>, tensor<f32>) -> tensor<f32>
    %302 = stablehlo.reshape %301 : (tensor<f32>) -> tensor<1xf32>
    %303 = stablehlo.slice %momentum [402:410] : (tensor<582xf32>) -> tensor<8xf32>
    %304 = stablehlo.constant dense<9.0e-01> : tensor<8xf32>
    %305 = stablehlo.multiply %303, %304 : tensor<8xf32>
    %306 = stablehlo.add %305, %298 : tensor<8xf32>
    %307 = stablehlo.broadcast_in_dim %rate, dims = [] : (tensor<f32>) -> tensor<8xf32>
    %308 = stablehlo.multiply %306, %307 : tensor<8xf32>
    %309 = stablehlo.subtract %297, %308 : tensor<8xf32>
    // projector.0.weight
    %310 = stablehlo.slice %theta [410:458] : (tensor<582xf32>) -> tensor<48xf32>
    %311 = stablehlo.slice %gradient [410:458] : (tensor<582xf32>) -> tensor<48xf32>
    %312 = stablehlo.multiply %311, %311 : tensor<48xf32>
    %313 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %314 = stablehlo.reduce(%312 init: %313) applies stablehlo.add across dimensions = [0] : (tensor<48xf32>, tensor<f32>) -> tensor<f32>
    %315 = stablehlo.reshape %314 : (tensor<f32>) -> tensor<1xf32>
    %316 = stablehlo.constant dense<1.5e-06> : tensor<48xf32>
    %317 = stablehlo.multiply %310, %316 : tensor<48xf32>
    %318 = stablehlo.add %311, %317 : tensor<48xf32>
    %319 = stablehlo.multiply %310, %310 : tensor<48xf32>
    %320 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %321 = stablehlo.reduce(%319 init: %320) applies stablehlo.add across dimensions = [0] : (tensor<48xf32>, tensor<f32>) -> tensor<f32>
    %322 = stablehlo.sqrt %321 : tensor<f32>
    %323 = stablehlo.multiply %318, %318 : tensor<48xf32>
    %324 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %325 = stablehlo.reduce(%323 init: %324) applies stablehlo.add across dimensions = [0] : (tensor<48xf32>, tensor<f32>) -> tensor<f32>
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
    %337 = stablehlo.broadcast_in_dim %336, dims = [] : (tensor<f32>) -> tensor<48xf32>
    %338 = stablehlo.multiply %318, %337 : tensor<48xf32>
    %339 = stablehlo.slice %momentum [410:458] : (tensor<582xf32>) -> tensor<48xf32>
    %340 = stablehlo.constant dense<9.0e-01> : tensor<48xf32>
    %341 = stablehlo.multiply %339, %340 : tensor<48xf32>
    %342 = stablehlo.add %341, %338 : tensor<48xf32>
    %343 = stablehlo.broadcast_in_dim %rate, dims = [] : (tensor<f32>) -> tensor<48xf32>
    %344 = stablehlo.multiply %342, %343 : tensor<48xf32>
    %345 = stablehlo.subtract %310, %344 : tensor<48xf32>
    // projector.0.bias
    %346 = stablehlo.slice %theta [458:464] : (tensor<582xf32>) -> tensor<6xf32>
    %347 = stablehlo.slice %gradient [458:464] : (tensor<582xf32>) -> tensor<6xf32>
    %348 = stablehlo.multiply %347, %347 : tensor<6xf32>
    %349 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %350 = stablehlo.reduce(%348 init: %349) applies stablehlo.add across dimensions = [0] : (tensor<6xf32>, tensor<f32>) -> tensor<f32>
    %351 = stablehlo.reshape %350 : (tensor<f32>) -> tensor<1xf32>
    %352 = stablehlo.slice %momentum [458:464] : (tensor<582xf32>) -> tensor<6xf32>
    %353 = stablehlo.constant dense<9.0e-01> : tensor<6xf32>
    %354 = stablehlo.multiply %352, %353 : tensor<6xf32>
    %355 = stablehlo.add %354, %347 : tensor<6xf32>
    %356 = stablehlo.broadcast_in_dim %rate, dims = [] : (tensor<f32>) -> tensor<6xf32>
    %357 = stablehlo.multiply %355, %356 : tensor<6xf32>
    %358 = stablehlo.subtract %346, %357 : tensor<6xf32>
    // projector.1.weight
    %359 = stablehlo.slice %theta [464:470] : (tensor<582xf32>) -> tensor<6xf32>
    %360 = stablehlo.slice %gradient [464:470] : (tensor<582xf32>) -> tensor<6xf32>
    %361 = stablehlo.multiply %360, %360 : tensor<6xf32>
    %362 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %363 = stablehlo.reduce(%361 init: %362) applies stablehlo.add across dimensions = [0] : (tensor<6xf32>, tensor<f32>) -> tensor<f32>
    %364 = stablehlo.reshape %363 : (tensor<f32>) -> tensor<1xf32>
    %365 = stablehlo.slice %momentum [464:470] : (tensor<582xf32>) -> tensor<6xf32>
    %366 = stablehlo.constant dense<9.0e-01> : tensor<6xf32>
    %367 = stablehlo.multiply %365, %366 : tensor<6xf32>
    %368 = stablehlo.add %367, %360 : tensor<6xf32>
    %369 = stablehlo.broadcast_in_dim %rate, dims = [] : (tensor<f32>) -> tensor<6xf32>
    %370 = stablehlo.multiply %368, %369 : tensor<6xf32>
    %371 = stablehlo.subtract %359, %370 : tensor<6xf32>
    // projector.1.bias
    %372 = stablehlo.slice %theta [470:476] : (tensor<582xf32>) -> tensor<6xf32>
    %373 = stablehlo.slice %gradient [470:476] : (tensor<582xf32>) -> tensor<6xf32>
    %374 = stablehlo.multiply %373, %373 : tensor<6xf32>
    %375 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %376 = stablehlo.reduce(%374 init: %375) applies stablehlo.add across dimensions = [0] : (tensor<6xf32>, tensor<f32>) -> tensor<f32>
    %377 = stablehlo.reshape %376 : (tensor<f32>) -> tensor<1xf32>
    %378 = stablehlo.slice %momentum [470:476] : (tensor<582xf32>) -> tensor<6xf32>
    %379 = stablehlo.constant dense<9.0e-01> : tensor<6xf32>
    %380 = stablehlo.multiply %378, %379 : tensor<6xf32>
    %381 = stablehlo.add %380, %373 : tensor<6xf32>
    %382 = stablehlo.broadcast_in_dim %rate, dims = [] : (tensor<f32>) -> tensor<6xf32>
    %383 = stablehlo.multiply %381, %382 : tensor<6xf32>
    %384 = stablehlo.subtract %372, %383 : tensor<6xf32>
    // projector.3.weight
    %385 = stablehlo.slice %theta [476:500] : (tensor<582xf32>) -> tensor<24xf32>
    %386 = stablehlo.slice %gradient [476:500] : (tensor<582xf32>) -> tensor<24xf32>
    %387 = stablehlo.multiply %386, %386 : tensor<24xf32>
    %388 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %389 = stablehlo.reduce(%387 init: %388) applies stablehlo.add across dimensions = [0] : (tensor<24xf32>, tensor<f32>) -> tensor<f32>
    %390 = stablehlo.reshape %389 : (tensor<f32>) -> tensor<1xf32>
    %391 = stablehlo.constant dense<1.5e-06> : tensor<24xf32>
    %392 = stablehlo.multiply %385, %391 : tensor<24xf32>
    %393 = stablehlo.add %386, %392 : tensor<24xf32>
    %394 = stablehlo.multiply %385, %385 : tensor<24xf32>
    %395 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %396 = stablehlo.reduce(%394 init: %395) applies stablehlo.add across dimensions = [0] : (tensor<24xf32>, tensor<f32>) -> tensor<f32>
    %397 = stablehlo.sqrt %396 : tensor<f32>
    %398 = stablehlo.multiply %393, %393 : tensor<24xf32>
    %399 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %400 = stablehlo.reduce(%398 init: %399) applies stablehlo.add across dimensions = [0] : (tensor<24xf32>, tensor<f32>) -> tensor<f32>
    %401 = stablehlo.sqrt %400 : tensor<f32>
    %402 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %403 = stablehlo.compare GT, %397, %402, FLOAT : (tensor<f32>, tensor<f32>) -> tensor<i1>
    %404 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %405 = stablehlo.compare GT, %401, %404, FLOAT : (tensor<f32>, tensor<f32>) -> tensor<i1>
    %406 = stablehlo.and %403, %405 : tensor<i1>
    %407 = stablehlo.constant dense<1.0e-03> : tensor<f32>
    %408 = stablehlo.multiply %397, %407 : tensor<f32>
    %409 = stablehlo.divide %408, %401 : tensor<f32>
    %410 = stablehlo.constant dense<1.0e+00> : tensor<f32>
    %411 = stablehlo.select %406, %409, %410 : (tensor<i1>, tensor<f32>, tensor<f32>) -> tensor<f32>
    %412 = stablehlo.broadcast_in_dim %411, dims = [] : (tensor<f32>) -> tensor<24xf32>
    %413 = stablehlo.multiply %393, %412 : tensor<24xf32>
    %414 = stablehlo.slice %momentum [476:500] : (tensor<582xf32>) -> tensor<24xf32>
    %415 = stablehlo.constant dense<9.0e-01> : tensor<24xf32>
    %416 = stablehlo.multiply %414, %415 : tensor<24xf32>
    %417 = stablehlo.add %416, %413 : tensor<24xf32>
    %418 = stablehlo.broadcast_in_dim %rate, dims = [] : (tensor<f32>) -> tensor<24xf32>
    %419 = stablehlo.multiply %417, %418 : tensor<24xf32>
    %420 = stablehlo.subtract %385, %419 : tensor<24xf32>
    // predictor.0.weight
    %421 = stablehlo.slice %theta [500:520] : (tensor<582xf32>) -> tensor<20xf32>
    %422 = stablehlo.slice %gradient [500:520] : (tensor<582xf32>) -> tensor<20xf32>
    %423 = stablehlo.multiply %422, %422 : tensor<20xf32>
    %424 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %425 = stablehlo.reduce(%423 init: %424) applies stablehlo.add across dimensions = [0] : (tensor<20xf32>, tensor<f32>) -> tensor<f32>
    %426 = stablehlo.reshape %425 : (tensor<f32>) -> tensor<1xf32>
    %427 = stablehlo.constant dense<1.5e-06> : tensor<20xf32>
    %428 = stablehlo.multiply %421, %427 : tensor<20xf32>
    %429 = stablehlo.add %422, %428 : tensor<20xf32>
    %430 = stablehlo.multiply %421, %421 : tensor<20xf32>
    %431 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %432 = stablehlo.reduce(%430 init: %431) applies stablehlo.add across dimensions = [0] : (tensor<20xf32>, tensor<f32>) -> tensor<f32>
    %433 = stablehlo.sqrt %432 : tensor<f32>
    %434 = stablehlo.multiply %429, %429 : tensor<20xf32>
    %435 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %436 = stablehlo.reduce(%434 init: %435) applies stablehlo.add across dimensions = [0] : (tensor<20xf32>, tensor<f32>) -> tensor<f32>
    %437 = stablehlo.sqrt %436 : tensor<f32>
    %438 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %439 = stablehlo.compare GT, %433, %438, FLOAT : (tensor<f32>, tensor<f32>) -> tensor<i1>
    %440 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %441 = stablehlo.compare GT, %437, %440, FLOAT : (tensor<f32>, tensor<f32>) -> tensor<i1>
    %442 = stablehlo.and %439, %441 : tensor<i1>
    %443 = stablehlo.constant dense<1.0e-03> : tensor<f32>
    %444 = stablehlo.multiply %433, %443 : tensor<f32>
    %445 = stablehlo.divide %444, %437 : tensor<f32>
    %446 = stablehlo.constant dense<1.0e+00> : tensor<f32>
    %447 = stablehlo.select %442, %445, %446 : (tensor<i1>, tensor<f32>, tensor<f32>) -> tensor<f32>
    %448 = stablehlo.broadcast_in_dim %447, dims = [] : (tensor<f32>) -> tensor<20xf32>
    %449 = stablehlo.multiply %429, %448 : tensor<20xf32>
    %450 = stablehlo.slice %momentum [500:520] : (tensor<582xf32>) -> tensor<20xf32>
    %451 = stablehlo.constant dense<9.0e-01> : tensor<20xf32>
    %452 = stablehlo.multiply %450, %451 : tensor<20xf32>
    %453 = stablehlo.add %452, %449 : tensor<20xf32>
    %454 = stablehlo.broadcast_in_dim %rate, dims = [] : (tensor<f32>) -> tensor<20xf32>
    %455 = stablehlo.multiply %453, %454 : tensor<20xf32>
    %456 = stablehlo.subtract %421, %455 : tensor<20xf32>
    // predictor.0.bias
    %457 = stablehlo.slice %theta [520:525] : (tensor<582xf32>) -> tensor<5xf32>
    %458 = stablehlo.slice %gradient [520:525] : (tensor<582xf32>) -> tensor<5xf32>
    %459 = stablehlo.multiply %458, %458 : tensor<5xf32>
    %460 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %461 = stablehlo.reduce(%459 init: %460) applies stablehlo.add across dimensions = [0] : (tensor<5xf32>, tensor<f32>) -> tensor<f32>
    %462 = stablehlo.reshape %461 : (tensor<f32>) -> tensor<1xf32>
    %463 = stablehlo.slice %momentum [520:525] : (tensor<582xf32>) -> tensor<5xf32>
    %464 = stablehlo.constant dense<9.0e-01> : tensor<5xf32>
    %465 = stablehlo.multiply %463, %464 : tensor<5xf32>
    %466 = stablehlo.add %465, %458 : tensor<5xf32>
    %467 = stablehlo.broadcast_in_dim %rate, dims = [] : (tensor<f32>) -> tensor<5xf32>
    %468 = stablehlo.multiply %466, %467 : tensor<5xf32>
    %469 = stablehlo.subtract %457, %468 : tensor<5xf32>
    // predictor.1.weight
    %470 = stablehlo.slice %theta [525:530] : (tensor<582xf32>) -> tensor<5xf32>
    %471 = stablehlo.slice %gradient [525:530] : (tensor<582xf32>) -> tensor<5xf32>
    %472 = stablehlo.multiply %471, %471 : tensor<5xf32>
    %473 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %474 = stablehlo.reduce(%472 init: %473) applies stablehlo.add across dimensions = [0] : (tensor<5xf32>, tensor<f32>) -> tensor<f32>
    %475 = stablehlo.reshape %474 : (tensor<f32>) -> tensor<1xf32>
    %476 = stablehlo.slice %momentum [525:530] : (tensor<582xf32>) -> tensor<5xf32>
    %477 = stablehlo.constant dense<9.0e-01> : tensor<5xf32>
    %478 = stablehlo.multiply %476, %477 : tensor<5xf32>
    %479 = stablehlo.add %478, %471 : tensor<5xf32>
    %480 = stablehlo.broadcast_in_dim %rate, dims = [] : (tensor<f32>) -> tensor<5xf32>
    %481 = stablehlo.multiply %479, %480 : tensor<5xf32>
    %482 = stablehlo.subtract %470, %481 : tensor<5xf32>
    // predictor.1.bias
    %483 = stablehlo.slice %theta [530:535] : (tensor<582xf32>) -> tensor<5xf32>
    %484 = stablehlo.slice %gradient [530:535] : (tensor<582xf32>) -> tensor<5xf32>
    %485 = stablehlo.multiply %484, %484 : tensor<5xf32>
    %486 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %487 = stablehlo.reduce(%485 init: %486) applies stablehlo.add across dimensions = [0] : (tensor<5xf32>, tensor<f32>) -> tensor<f32>
    %488 = stablehlo.reshape %487 : (tensor<f32>) -> tensor<1xf32>
    %489 = stablehlo.slice %momentum [530:535] : (tensor<582xf32>) -> tensor<5xf32>
    %490 = stablehlo.constant dense<9.0e-01> : tensor<5xf32>
    %491 = stablehlo.multiply %489, %490 : tensor<5xf32>
    %492 = stablehlo.add %491, %484 : tensor<5xf32>
    %493 = stablehlo.broadcast_in_dim %rate, dims = [] : (tensor<f32>) -> tensor<5xf32>
    %494 = stablehlo.multiply %492, %493 : tensor<5xf32>
    %495 = stablehlo.subtract %483, %494 : tensor<5xf32>
    // predictor.3.weight
    %496 = stablehlo.slice %theta [535:555] : (tensor<582xf32>) -> tensor<20xf32>
    %497 = stablehlo.slice %gradient [535:555] : (tensor<582xf32>) -> tensor<20xf32>
    %498 = stablehlo.multiply %497, %497 : tensor<20xf32>
    %499 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %500 = stablehlo.reduce(%498 init: %499) applies stablehlo.add across dimensions = [0] : (tensor<20xf32>, tensor<f32>) -> tensor<f32>
    %501 = stablehlo.reshape %500 : (tensor<f32>) -> tensor<1xf32>
    %502 = stablehlo.constant dense<1.5e-06> : tensor<20xf32>
    %503 = stablehlo.multiply %496, %502 : tensor<20xf32>
    %504 = stablehlo.add %497, %503 : tensor<20xf32>
    %505 = stablehlo.multiply %496, %496 : tensor<20xf32>
    %506 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %507 = stablehlo.reduce(%505 init: %506) applies stablehlo.add across dimensions = [0] : (tensor<20xf32>, tensor<f32>) -> tensor<f32>
    %508 = stablehlo.sqrt %507 : tensor<f32>
    %509 = stablehlo.multiply %504, %504 : tensor<20xf32>
    %510 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %511 = stablehlo.reduce(%509 init: %510) applies stablehlo.add across dimensions = [0] : (tensor<20xf32>, tensor<f32>) -> tensor<f32>
    %512 = stablehlo.sqrt %511 : tensor<f32>
    %513 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %514 = stablehlo.compare GT, %508, %513, FLOAT : (tensor<f32>, tensor<f32>) -> tensor<i1>
    %515 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %516 = stablehlo.compare GT, %512, %515, FLOAT : (tensor<f32>, tensor<f32>) -> tensor<i1>
    %517 = stablehlo.and %514, %516 : tensor<i1>
    %518 = stablehlo.constant dense<1.0e-03> : tensor<f32>
    %519 = stablehlo.multiply %508, %518 : tensor<f32>
    %520 = stablehlo.divide %519, %512 : tensor<f32>
    %521 = stablehlo.constant dense<1.0e+00> : tensor<f32>
    %522 = stablehlo.select %517, %520, %521 : (tensor<i1>, tensor<f32>, tensor<f32>) -> tensor<f32>
    %523 = stablehlo.broadcast_in_dim %522, dims = [] : (tensor<f32>) -> tensor<20xf32>
    %524 = stablehlo.multiply %504, %523 : tensor<20xf32>
    %525 = stablehlo.slice %momentum [535:555] : (tensor<582xf32>) -> tensor<20xf32>
    %526 = stablehlo.constant dense<9.0e-01> : tensor<20xf32>
    %527 = stablehlo.multiply %525, %526 : tensor<20xf32>
    %528 = stablehlo.add %527, %524 : tensor<20xf32>
    %529 = stablehlo.broadcast_in_dim %rate, dims = [] : (tensor<f32>) -> tensor<20xf32>
    %530 = stablehlo.multiply %528, %529 : tensor<20xf32>
    %531 = stablehlo.subtract %496, %530 : tensor<20xf32>
    // classifier.weight
    %532 = stablehlo.slice %theta [555:579] : (tensor<582xf32>) -> tensor<24xf32>
    %533 = stablehlo.slice %gradient [555:579] : (tensor<582xf32>) -> tensor<24xf32>
    %534 = stablehlo.multiply %533, %533 : tensor<24xf32>
    %535 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %536 = stablehlo.reduce(%534 init: %535) applies stablehlo.add across dimensions = [0] : (tensor<24xf32>, tensor<f32>) -> tensor<f32>
    %537 = stablehlo.reshape %536 : (tensor<f32>) -> tensor<1xf32>
    %538 = stablehlo.constant dense<1.5e-06> : tensor<24xf32>
    %539 = stablehlo.multiply %532, %538 : tensor<24xf32>
    %540 = stablehlo.add %533, %539 : tensor<24xf32>
    %541 = stablehlo.multiply %532, %532 : tensor<24xf32>
    %542 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %543 = stablehlo.reduce(%541 init: %542) applies stablehlo.add across dimensions = [0] : (tensor<24xf32>, tensor<f32>) -> tensor<f32>
    %544 = stablehlo.sqrt %543 : tensor<f32>
    %545 = stablehlo.multiply %540, %540 : tensor<24xf32>
    %546 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %547 = stablehlo.reduce(%545 init: %546) applies stablehlo.add across dimensions = [0] : (tensor<24xf32>, tensor<f32>) -> tensor<f32>
    %548 = stablehlo.sqrt %547 : tensor<f32>
    %549 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %550 = stablehlo.compare GT, %544, %549, FLOAT : (tensor<f32>, tensor<f32>) -> tensor<i1>
    %551 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %552 = stablehlo.compare GT, %548, %551, FLOAT : (tensor<f32>, tensor<f32>) -> tensor<i1>
    %553 = stablehlo.and %550, %552 : tensor<i1>
    %554 = stablehlo.constant dense<1.0e-03> : tensor<f32>
    %555 = stablehlo.multiply %544, %554 : tensor<f32>
    %556 = stablehlo.divide %555, %548 : tensor<f32>
    %557 = stablehlo.constant dense<1.0e+00> : tensor<f32>
    %558 = stablehlo.select %553, %556, %557 : (tensor<i1>, tensor<f32>, tensor<f32>) -> tensor<f32>
    %559 = stablehlo.broadcast_in_dim %558, dims = [] : (tensor<f32>) -> tensor<24xf32>
    %560 = stablehlo.multiply %540, %559 : tensor<24xf32>
    %561 = stablehlo.slice %momentum [555:579] : (tensor<582xf32>) -> tensor<24xf32>
    %562 = stablehlo.constant dense<9.0e-01> : tensor<24xf32>
    %563 = stablehlo.multiply %561, %562 : tensor<24xf32>
    %564 = stablehlo.add %563, %560 : tensor<24xf32>
    %565 = stablehlo.broadcast_in_dim %rate, dims = [] : (tensor<f32>) -> tensor<24xf32>
    %566 = stablehlo.multiply %564, %565 : tensor<24xf32>
    %567 = stablehlo.subtract %532, %566 : tensor<24xf32>
    // classifier.bias
    %568 = stablehlo.slice %theta [579:582] : (tensor<582xf32>) -> tensor<3xf32>
    %569 = stablehlo.slice %gradient [579:582] : (tensor<582xf32>) -> tensor<3xf32>
    %570 = stablehlo.multiply %569, %569 : tensor<3xf32>
    %571 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %572 = stablehlo.reduce(%570 init: %571) applies stablehlo.add across dimensions = [0] : (tensor<3xf32>, tensor<f32>) -> tensor<f32>
    %573 = stablehlo.reshape %572 : (tensor<f32>) -> tensor<1xf32>
    %574 = stablehlo.slice %momentum [579:582] : (tensor<582xf32>) -> tensor<3xf32>
    %575 = stablehlo.constant dense<9.0e-01> : tensor<3xf32>
    %576 = stablehlo.multiply %574, %575 : tensor<3xf32>
    %577 = stablehlo.add %576, %569 : tensor<3xf32>
    %578 = stablehlo.broadcast_in_dim %rate, dims = [] : (tensor<f32>) -> tensor<3xf32>
    %579 = stablehlo.multiply %577, %578 : tensor<3xf32>
    %580 = stablehlo.subtract %568, %579 : tensor<3xf32>
    %theta.next = stablehlo.concatenate %35, %48, %61, %97, %110, %123, %159, %172, %185, %221, %234, %247, %283, %296, %309, %345, %358, %371, %384, %420, %456, %469, %482, %495, %531, %567, %580, dim = 0 : (tensor<294xf32>, tensor<2xf32>, tensor<2xf32>, tensor<4xf32>, tensor<2xf32>, tensor<2xf32>, tensor<36xf32>, tensor<2xf32>, tensor<2xf32>, tensor<16xf32>, tensor<8xf32>, tensor<8xf32>, tensor<16xf32>, tensor<8xf32>, tensor<8xf32>, tensor<48xf32>, tensor<6xf32>, tensor<6xf32>, tensor<6xf32>, tensor<24xf32>, tensor<20xf32>, tensor<5xf32>, tensor<5xf32>, tensor<5xf32>, tensor<20xf32>, tensor<24xf32>, tensor<3xf32>) -> tensor<582xf32>
    %momentum.next = stablehlo.concatenate %32, %45, %58, %94, %107, %120, %156, %169, %182, %218, %231, %244, %280, %293, %306, %342, %355, %368, %381, %417, %453, %466, %479, %492, %528, %564, %577, dim = 0 : (tensor<294xf32>, tensor<2xf32>, tensor<2xf32>, tensor<4xf32>, tensor<2xf32>, tensor<2xf32>, tensor<36xf32>, tensor<2xf32>, tensor<2xf32>, tensor<16xf32>, tensor<8xf32>, tensor<8xf32>, tensor<16xf32>, tensor<8xf32>, tensor<8xf32>, tensor<48xf32>, tensor<6xf32>, tensor<6xf32>, tensor<6xf32>, tensor<24xf32>, tensor<20xf32>, tensor<5xf32>, tensor<5xf32>, tensor<5xf32>, tensor<20xf32>, tensor<24xf32>, tensor<3xf32>) -> tensor<582xf32>
    %squares = stablehlo.concatenate %5, %41, %54, %67, %103, %116, %129, %165, %178, %191, %227, %240, %253, %289, %302, %315, %351, %364, %377, %390, %426, %462, %475, %488, %501, %537, %573, dim = 0 : (tensor<1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<27xf32>
    return %theta.next, %momentum.next, %squares : tensor<582xf32>, tensor<582xf32>, tensor<27xf32>
  }
}
module @encode {
  func.func public @main(
      %images: tensor<4x8x8x3xf32>,
      %theta: tensor<582xf32>,
      %statistics: tensor<66xf32>
  ) -> (
      tensor<4x8xf32>
  ) {
    %0 = stablehlo.convert %images : (tensor<4x8x8x3xf32>) -> tensor<4x8x8x3xbf16>
    %1 = stablehlo.slice %theta [0:294] : (tensor<582xf32>) -> tensor<294xf32>
    %2 = stablehlo.reshape %1 : (tensor<294xf32>) -> tensor<2x7x7x3xf32>
    %encoder.conv1.weight.bf16 = stablehlo.convert %2 : (tensor<2x7x7x3xf32>) -> tensor<2x7x7x3xbf16>
    // encoder.conv1: 7×7, stride 2, 3 to 2 channels
    %3 = stablehlo.convolution(%0, %encoder.conv1.weight.bf16) dim_numbers = [b, 0, 1, f]x[o, 0, 1, i]->[b, 0, 1, f], window = {stride = [2, 2], pad = [[2, 3], [2, 3]], lhs_dilate = [1, 1], rhs_dilate = [1, 1]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64} : (tensor<4x8x8x3xbf16>, tensor<2x7x7x3xbf16>) -> tensor<4x4x4x2xbf16>
    %encoder.bn1.running_mean = stablehlo.slice %statistics [0:2] : (tensor<66xf32>) -> tensor<2xf32>
    %encoder.bn1.running_var = stablehlo.slice %statistics [2:4] : (tensor<66xf32>) -> tensor<2xf32>
    %4 = stablehlo.constant dense<1.0e-05> : tensor<2xf32>
    %5 = stablehlo.add %encoder.bn1.running_var, %4 : tensor<2xf32>
    %6 = stablehlo.rsqrt %5 : tensor<2xf32>
    %7 = stablehlo.concatenate %encoder.bn1.running_mean, %6, dim = 0 : (tensor<2xf32>, tensor<2xf32>) -> tensor<4xf32>
    // encoder.bn1: normalise
    %8 = stablehlo.convert %3 : (tensor<4x4x4x2xbf16>) -> tensor<4x4x4x2xf32>
    %9 = stablehlo.reshape %8 : (tensor<4x4x4x2xf32>) -> tensor<1x64x2xf32>
    %10 = stablehlo.reshape %7 : (tensor<4xf32>) -> tensor<1x4xf32>
    %11 = stablehlo.slice %10 [0:1, 0:2] : (tensor<1x4xf32>) -> tensor<1x2xf32>
    %12 = stablehlo.broadcast_in_dim %11, dims = [0, 2] : (tensor<1x2xf32>) -> tensor<1x64x2xf32>
    %13 = stablehlo.subtract %9, %12 : tensor<1x64x2xf32>
    %14 = stablehlo.reshape %7 : (tensor<4xf32>) -> tensor<1x4xf32>
    %15 = stablehlo.slice %14 [0:1, 2:4] : (tensor<1x4xf32>) -> tensor<1x2xf32>
    %16 = stablehlo.broadcast_in_dim %15, dims = [0, 2] : (tensor<1x2xf32>) -> tensor<1x64x2xf32>
    %17 = stablehlo.multiply %13, %16 : tensor<1x64x2xf32>
    %encoder.bn1.weight = stablehlo.slice %theta [294:296] : (tensor<582xf32>) -> tensor<2xf32>
    %18 = stablehlo.broadcast_in_dim %encoder.bn1.weight, dims = [2] : (tensor<2xf32>) -> tensor<1x64x2xf32>
    %19 = stablehlo.multiply %17, %18 : tensor<1x64x2xf32>
    %encoder.bn1.bias = stablehlo.slice %theta [296:298] : (tensor<582xf32>) -> tensor<2xf32>
    %20 = stablehlo.broadcast_in_dim %encoder.bn1.bias, dims = [2] : (tensor<2xf32>) -> tensor<1x64x2xf32>
    %21 = stablehlo.add %19, %20 : tensor<1x64x2xf32>
    %22 = stablehlo.reshape %21 : (tensor<1x64x2xf32>) -> tensor<4x4x4x2xf32>
    %23 = stablehlo.constant dense<0.0e+00> : tensor<4x4x4x2xf32>
    %24 = stablehlo.maximum %22, %23 : tensor<4x4x4x2xf32>
    %25 = stablehlo.convert %24 : (tensor<4x4x4x2xf32>) -> tensor<4x4x4x2xbf16>
    // max pooling
    %26 = stablehlo.constant dense<0xFF80> : tensor<bf16>
    %27 = "stablehlo.reduce_window"(%25, %26) ({
    ^bb0(%a: tensor<bf16>, %b: tensor<bf16>):
      %m = stablehlo.maximum %a, %b : tensor<bf16>
      stablehlo.return %m : tensor<bf16>
    }) {window_dimensions = array<i64: 1, 3, 3, 1>, window_strides = array<i64: 1, 2, 2, 1>, padding = dense<[[0, 0], [0, 1], [0, 1], [0, 0]]> : tensor<4x2xi64>} : (tensor<4x4x4x2xbf16>, tensor<bf16>) -> tensor<4x2x2x2xbf16>
    %28 = stablehlo.slice %theta [298:302] : (tensor<582xf32>) -> tensor<4xf32>
    %29 = stablehlo.reshape %28 : (tensor<4xf32>) -> tensor<2x1x1x2xf32>
    %encoder.layer1.0.conv1.weight.bf16 = stablehlo.convert %29 : (tensor<2x1x1x2xf32>) -> tensor<2x1x1x2xbf16>
    // encoder.layer1.0.conv1: 1×1, stride 1, 2 to 2 channels
    %30 = stablehlo.convolution(%27, %encoder.layer1.0.conv1.weight.bf16) dim_numbers = [b, 0, 1, f]x[o, 0, 1, i]->[b, 0, 1, f], window = {stride = [1, 1], pad = [[0, 0], [0, 0]], lhs_dilate = [1, 1], rhs_dilate = [1, 1]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64} : (tensor<4x2x2x2xbf16>, tensor<2x1x1x2xbf16>) -> tensor<4x2x2x2xbf16>
    %encoder.layer1.0.bn1.running_mean = stablehlo.slice %statistics [4:6] : (tensor<66xf32>) -> tensor<2xf32>
    %encoder.layer1.0.bn1.running_var = stablehlo.slice %statistics [6:8] : (tensor<66xf32>) -> tensor<2xf32>
    %31 = stablehlo.constant dense<1.0e-05> : tensor<2xf32>
    %32 = stablehlo.add %encoder.layer1.0.bn1.running_var, %31 : tensor<2xf32>
    %33 = stablehlo.rsqrt %32 : tensor<2xf32>
    %34 = stablehlo.concatenate %encoder.layer1.0.bn1.running_mean, %33, dim = 0 : (tensor<2xf32>, tensor<2xf32>) -> tensor<4xf32>
    // encoder.layer1.0.bn1: normalise
    %35 = stablehlo.convert %30 : (tensor<4x2x2x2xbf16>) -> tensor<4x2x2x2xf32>
    %36 = stablehlo.reshape %35 : (tensor<4x2x2x2xf32>) -> tensor<1x16x2xf32>
    %37 = stablehlo.reshape %34 : (tensor<4xf32>) -> tensor<1x4xf32>
    %38 = stablehlo.slice %37 [0:1, 0:2] : (tensor<1x4xf32>) -> tensor<1x2xf32>
    %39 = stablehlo.broadcast_in_dim %38, dims = [0, 2] : (tensor<1x2xf32>) -> tensor<1x16x2xf32>
    %40 = stablehlo.subtract %36, %39 : tensor<1x16x2xf32>
    %41 = stablehlo.reshape %34 : (tensor<4xf32>) -> tensor<1x4xf32>
    %42 = stablehlo.slice %41 [0:1, 2:4] : (tensor<1x4xf32>) -> tensor<1x2xf32>
    %43 = stablehlo.broadcast_in_dim %42, dims = [0, 2] : (tensor<1x2xf32>) -> tensor<1x16x2xf32>
    %44 = stablehlo.multiply %40, %43 : tensor<1x16x2xf32>
    %encoder.layer1.0.bn1.weight = stablehlo.slice %theta [302:304] : (tensor<582xf32>) -> tensor<2xf32>
    %45 = stablehlo.broadcast_in_dim %encoder.layer1.0.bn1.weight, dims = [2] : (tensor<2xf32>) -> tensor<1x16x2xf32>
    %46 = stablehlo.multiply %44, %45 : tensor<1x16x2xf32>
    %encoder.layer1.0.bn1.bias = stablehlo.slice %theta [304:306] : (tensor<582xf32>) -> tensor<2xf32>
    %47 = stablehlo.broadcast_in_dim %encoder.layer1.0.bn1.bias, dims = [2] : (tensor<2xf32>) -> tensor<1x16x2xf32>
    %48 = stablehlo.add %46, %47 : tensor<1x16x2xf32>
    %49 = stablehlo.reshape %48 : (tensor<1x16x2xf32>) -> tensor<4x2x2x2xf32>
    %50 = stablehlo.constant dense<0.0e+00> : tensor<4x2x2x2xf32>
    %51 = stablehlo.maximum %49, %50 : tensor<4x2x2x2xf32>
    %52 = stablehlo.convert %51 : (tensor<4x2x2x2xf32>) -> tensor<4x2x2x2xbf16>
    %53 = stablehlo.slice %theta [306:342] : (tensor<582xf32>) -> tensor<36xf32>
    %54 = stablehlo.reshape %53 : (tensor<36xf32>) -> tensor<2x3x3x2xf32>
    %encoder.layer1.0.conv2.weight.bf16 = stablehlo.convert %54 : (tensor<2x3x3x2xf32>) -> tensor<2x3x3x2xbf16>
    // encoder.layer1.0.conv2: 3×3, stride 1, 2 to 2 channels
    %55 = stablehlo.convolution(%52, %encoder.layer1.0.conv2.weight.bf16) dim_numbers = [b, 0, 1, f]x[o, 0, 1, i]->[b, 0, 1, f], window = {stride = [1, 1], pad = [[1, 1], [1, 1]], lhs_dilate = [1, 1], rhs_dilate = [1, 1]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64} : (tensor<4x2x2x2xbf16>, tensor<2x3x3x2xbf16>) -> tensor<4x2x2x2xbf16>
    %encoder.layer1.0.bn2.running_mean = stablehlo.slice %statistics [8:10] : (tensor<66xf32>) -> tensor<2xf32>
    %encoder.layer1.0.bn2.running_var = stablehlo.slice %statistics [10:12] : (tensor<66xf32>) -> tensor<2xf32>
    %56 = stablehlo.constant dense<1.0e-05> : tensor<2xf32>
    %57 = stablehlo.add %encoder.layer1.0.bn2.running_var, %56 : tensor<2xf32>
    %58 = stablehlo.rsqrt %57 : tensor<2xf32>
    %59 = stablehlo.concatenate %encoder.layer1.0.bn2.running_mean, %58, dim = 0 : (tensor<2xf32>, tensor<2xf32>) -> tensor<4xf32>
    // encoder.layer1.0.bn2: normalise
    %60 = stablehlo.convert %55 : (tensor<4x2x2x2xbf16>) -> tensor<4x2x2x2xf32>
    %61 = stablehlo.reshape %60 : (tensor<4x2x2x2xf32>) -> tensor<1x16x2xf32>
    %62 = stablehlo.reshape %59 : (tensor<4xf32>) -> tensor<1x4xf32>
    %63 = stablehlo.slice %62 [0:1, 0:2] : (tensor<1x4xf32>) -> tensor<1x2xf32>
    %64 = stablehlo.broadcast_in_dim %63, dims = [0, 2] : (tensor<1x2xf32>) -> tensor<1x16x2xf32>
    %65 = stablehlo.subtract %61, %64 : tensor<1x16x2xf32>
    %66 = stablehlo.reshape %59 : (tensor<4xf32>) -> tensor<1x4xf32>
    %67 = stablehlo.slice %66 [0:1, 2:4] : (tensor<1x4xf32>) -> tensor<1x2xf32>
    %68 = stablehlo.broadcast_in_dim %67, dims = [0, 2] : (tensor<1x2xf32>) -> tensor<1x16x2xf32>
    %69 = stablehlo.multiply %65, %68 : tensor<1x16x2xf32>
    %encoder.layer1.0.bn2.weight = stablehlo.slice %theta [342:344] : (tensor<582xf32>) -> tensor<2xf32>
    %70 = stablehlo.broadcast_in_dim %encoder.layer1.0.bn2.weight, dims = [2] : (tensor<2xf32>) -> tensor<1x16x2xf32>
    %71 = stablehlo.multiply %69, %70 : tensor<1x16x2xf32>
    %encoder.layer1.0.bn2.bias = stablehlo.slice %theta [344:346] : (tensor<582xf32>) -> tensor<2xf32>
    %72 = stablehlo.broadcast_in_dim %encoder.layer1.0.bn2.bias, dims = [2] : (tensor<2xf32>) -> tensor<1x16x2xf32>
    %73 = stablehlo.add %71, %72 : tensor<1x16x2xf32>
    %74 = stablehlo.reshape %73 : (tensor<1x16x2xf32>) -> tensor<4x2x2x2xf32>
    %75 = stablehlo.constant dense<0.0e+00> : tensor<4x2x2x2xf32>
    %76 = stablehlo.maximum %74, %75 : tensor<4x2x2x2xf32>
    %77 = stablehlo.convert %76 : (tensor<4x2x2x2xf32>) -> tensor<4x2x2x2xbf16>
    %78 = stablehlo.slice %theta [346:362] : (tensor<582xf32>) -> tensor<16xf32>
    %79 = stablehlo.reshape %78 : (tensor<16xf32>) -> tensor<8x1x1x2xf32>
    %encoder.layer1.0.conv3.weight.bf16 = stablehlo.convert %79 : (tensor<8x1x1x2xf32>) -> tensor<8x1x1x2xbf16>
    // encoder.layer1.0.conv3: 1×1, stride 1, 2 to 8 channels
    %80 = stablehlo.convolution(%77, %encoder.layer1.0.conv3.weight.bf16) dim_numbers = [b, 0, 1, f]x[o, 0, 1, i]->[b, 0, 1, f], window = {stride = [1, 1], pad = [[0, 0], [0, 0]], lhs_dilate = [1, 1], rhs_dilate = [1, 1]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64} : (tensor<4x2x2x2xbf16>, tensor<8x1x1x2xbf16>) -> tensor<4x2x2x8xbf16>
    %81 = stablehlo.slice %theta [378:394] : (tensor<582xf32>) -> tensor<16xf32>
    %82 = stablehlo.reshape %81 : (tensor<16xf32>) -> tensor<8x1x1x2xf32>
    %encoder.layer1.0.downsample.0.weight.bf16 = stablehlo.convert %82 : (tensor<8x1x1x2xf32>) -> tensor<8x1x1x2xbf16>
    // encoder.layer1.0.downsample.0: 1×1, stride 1, 2 to 8 channels
    %83 = stablehlo.convolution(%27, %encoder.layer1.0.downsample.0.weight.bf16) dim_numbers = [b, 0, 1, f]x[o, 0, 1, i]->[b, 0, 1, f], window = {stride = [1, 1], pad = [[0, 0], [0, 0]], lhs_dilate = [1, 1], rhs_dilate = [1, 1]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64} : (tensor<4x2x2x2xbf16>, tensor<8x1x1x2xbf16>) -> tensor<4x2x2x8xbf16>
    %encoder.layer1.0.bn3.running_mean = stablehlo.slice %statistics [12:20] : (tensor<66xf32>) -> tensor<8xf32>
    %encoder.layer1.0.bn3.running_var = stablehlo.slice %statistics [20:28] : (tensor<66xf32>) -> tensor<8xf32>
    %84 = stablehlo.constant dense<1.0e-05> : tensor<8xf32>
    %85 = stablehlo.add %encoder.layer1.0.bn3.running_var, %84 : tensor<8xf32>
    %86 = stablehlo.rsqrt %85 : tensor<8xf32>
    %87 = stablehlo.concatenate %encoder.layer1.0.bn3.running_mean, %86, dim = 0 : (tensor<8xf32>, tensor<8xf32>) -> tensor<16xf32>
    %encoder.layer1.0.downsample.1.running_mean = stablehlo.slice %statistics [28:36] : (tensor<66xf32>) -> tensor<8xf32>
    %encoder.layer1.0.downsample.1.running_var = stablehlo.slice %statistics [36:44] : (tensor<66xf32>) -> tensor<8xf32>
    %88 = stablehlo.constant dense<1.0e-05> : tensor<8xf32>
    %89 = stablehlo.add %encoder.layer1.0.downsample.1.running_var, %88 : tensor<8xf32>
    %90 = stablehlo.rsqrt %89 : tensor<8xf32>
    %91 = stablehlo.concatenate %encoder.layer1.0.downsample.1.running_mean, %90, dim = 0 : (tensor<8xf32>, tensor<8xf32>) -> tensor<16xf32>
    // encoder.layer1.0.bn3: normalise
    %92 = stablehlo.convert %80 : (tensor<4x2x2x8xbf16>) -> tensor<4x2x2x8xf32>
    %93 = stablehlo.reshape %92 : (tensor<4x2x2x8xf32>) -> tensor<1x16x8xf32>
    %94 = stablehlo.reshape %87 : (tensor<16xf32>) -> tensor<1x16xf32>
    %95 = stablehlo.slice %94 [0:1, 0:8] : (tensor<1x16xf32>) -> tensor<1x8xf32>
    %96 = stablehlo.broadcast_in_dim %95, dims = [0, 2] : (tensor<1x8xf32>) -> tensor<1x16x8xf32>
    %97 = stablehlo.subtract %93, %96 : tensor<1x16x8xf32>
    %98 = stablehlo.reshape %87 : (tensor<16xf32>) -> tensor<1x16xf32>
    %99 = stablehlo.slice %98 [0:1, 8:16] : (tensor<1x16xf32>) -> tensor<1x8xf32>
    %100 = stablehlo.broadcast_in_dim %99, dims = [0, 2] : (tensor<1x8xf32>) -> tensor<1x16x8xf32>
    %101 = stablehlo.multiply %97, %100 : tensor<1x16x8xf32>
    %encoder.layer1.0.bn3.weight = stablehlo.slice %theta [362:370] : (tensor<582xf32>) -> tensor<8xf32>
    %102 = stablehlo.broadcast_in_dim %encoder.layer1.0.bn3.weight, dims = [2] : (tensor<8xf32>) -> tensor<1x16x8xf32>
    %103 = stablehlo.multiply %101, %102 : tensor<1x16x8xf32>
    %encoder.layer1.0.bn3.bias = stablehlo.slice %theta [370:378] : (tensor<582xf32>) -> tensor<8xf32>
    %104 = stablehlo.broadcast_in_dim %encoder.layer1.0.bn3.bias, dims = [2] : (tensor<8xf32>) -> tensor<1x16x8xf32>
    %105 = stablehlo.add %103, %104 : tensor<1x16x8xf32>
    %106 = stablehlo.reshape %105 : (tensor<1x16x8xf32>) -> tensor<4x2x2x8xf32>
    // encoder.layer1.0.downsample.1: normalise
    %107 = stablehlo.convert %83 : (tensor<4x2x2x8xbf16>) -> tensor<4x2x2x8xf32>
    %108 = stablehlo.reshape %107 : (tensor<4x2x2x8xf32>) -> tensor<1x16x8xf32>
    %109 = stablehlo.reshape %91 : (tensor<16xf32>) -> tensor<1x16xf32>
    %110 = stablehlo.slice %109 [0:1, 0:8] : (tensor<1x16xf32>) -> tensor<1x8xf32>
    %111 = stablehlo.broadcast_in_dim %110, dims = [0, 2] : (tensor<1x8xf32>) -> tensor<1x16x8xf32>
    %112 = stablehlo.subtract %108, %111 : tensor<1x16x8xf32>
    %113 = stablehlo.reshape %91 : (tensor<16xf32>) -> tensor<1x16xf32>
    %114 = stablehlo.slice %113 [0:1, 8:16] : (tensor<1x16xf32>) -> tensor<1x8xf32>
    %115 = stablehlo.broadcast_in_dim %114, dims = [0, 2] : (tensor<1x8xf32>) -> tensor<1x16x8xf32>
    %116 = stablehlo.multiply %112, %115 : tensor<1x16x8xf32>
    %encoder.layer1.0.downsample.1.weight = stablehlo.slice %theta [394:402] : (tensor<582xf32>) -> tensor<8xf32>
    %117 = stablehlo.broadcast_in_dim %encoder.layer1.0.downsample.1.weight, dims = [2] : (tensor<8xf32>) -> tensor<1x16x8xf32>
    %118 = stablehlo.multiply %116, %117 : tensor<1x16x8xf32>
    %encoder.layer1.0.downsample.1.bias = stablehlo.slice %theta [402:410] : (tensor<582xf32>) -> tensor<8xf32>
    %119 = stablehlo.broadcast_in_dim %encoder.layer1.0.downsample.1.bias, dims = [2] : (tensor<8xf32>) -> tensor<1x16x8xf32>
    %120 = stablehlo.add %118, %119 : tensor<1x16x8xf32>
    %121 = stablehlo.reshape %120 : (tensor<1x16x8xf32>) -> tensor<4x2x2x8xf32>
    %122 = stablehlo.add %106, %121 : tensor<4x2x2x8xf32>
    %123 = stablehlo.constant dense<0.0e+00> : tensor<4x2x2x8xf32>
    %124 = stablehlo.maximum %122, %123 : tensor<4x2x2x8xf32>
    %125 = stablehlo.convert %124 : (tensor<4x2x2x8xf32>) -> tensor<4x2x2x8xbf16>
    // mean over positions
    %126 = stablehlo.convert %125 : (tensor<4x2x2x8xbf16>) -> tensor<4x2x2x8xf32>
    %127 = stablehlo.reshape %126 : (tensor<4x2x2x8xf32>) -> tensor<4x4x8xf32>
    %128 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %129 = stablehlo.reduce(%127 init: %128) applies stablehlo.add across dimensions = [1] : (tensor<4x4x8xf32>, tensor<f32>) -> tensor<4x8xf32>
    %130 = stablehlo.constant dense<2.5e-01> : tensor<4x8xf32>
    %features = stablehlo.multiply %129, %130 : tensor<4x8xf32>
    return %features : tensor<4x8xf32>
  }
}
