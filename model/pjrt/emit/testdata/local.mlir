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
      %theta: tensor<247xf32>,
      %online.statistics: tensor<34xf32>
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
      tensor<6x2xf32>,
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
    %0 = stablehlo.slice %theta [0:54] : (tensor<247xf32>) -> tensor<54xf32>
    %encoder.conv1.weight = stablehlo.reshape %0 : (tensor<54xf32>) -> tensor<2x3x3x3xf32>
    %encoder.bn1.running_mean = stablehlo.slice %online.statistics [0:2] : (tensor<34xf32>) -> tensor<2xf32>
    %encoder.bn1.weight = stablehlo.slice %theta [54:56] : (tensor<247xf32>) -> tensor<2xf32>
    %encoder.bn1.bias = stablehlo.slice %theta [56:58] : (tensor<247xf32>) -> tensor<2xf32>
    %1 = stablehlo.slice %theta [58:94] : (tensor<247xf32>) -> tensor<36xf32>
    %encoder.layer1.0.conv1.weight = stablehlo.reshape %1 : (tensor<36xf32>) -> tensor<2x3x3x2xf32>
    %encoder.layer1.0.bn1.running_mean = stablehlo.slice %online.statistics [4:6] : (tensor<34xf32>) -> tensor<2xf32>
    %encoder.layer1.0.bn1.weight = stablehlo.slice %theta [94:96] : (tensor<247xf32>) -> tensor<2xf32>
    %encoder.layer1.0.bn1.bias = stablehlo.slice %theta [96:98] : (tensor<247xf32>) -> tensor<2xf32>
    %2 = stablehlo.slice %theta [98:134] : (tensor<247xf32>) -> tensor<36xf32>
    %encoder.layer1.0.conv2.weight = stablehlo.reshape %2 : (tensor<36xf32>) -> tensor<2x3x3x2xf32>
    %encoder.layer1.0.bn2.running_mean = stablehlo.slice %online.statistics [8:10] : (tensor<34xf32>) -> tensor<2xf32>
    %encoder.layer1.0.bn2.weight = stablehlo.slice %theta [134:136] : (tensor<247xf32>) -> tensor<2xf32>
    %encoder.layer1.0.bn2.bias = stablehlo.slice %theta [136:138] : (tensor<247xf32>) -> tensor<2xf32>
    %3 = stablehlo.slice %theta [138:150] : (tensor<247xf32>) -> tensor<12xf32>
    %projector.0.weight = stablehlo.reshape %3 : (tensor<12xf32>) -> tensor<6x2xf32>
    %projector.0.bias = stablehlo.slice %theta [150:156] : (tensor<247xf32>) -> tensor<6xf32>
    %projector.1.running_mean = stablehlo.slice %online.statistics [12:18] : (tensor<34xf32>) -> tensor<6xf32>
    %projector.1.weight = stablehlo.slice %theta [156:162] : (tensor<247xf32>) -> tensor<6xf32>
    %projector.1.bias = stablehlo.slice %theta [162:168] : (tensor<247xf32>) -> tensor<6xf32>
    %4 = stablehlo.slice %theta [168:192] : (tensor<247xf32>) -> tensor<24xf32>
    %projector.3.weight = stablehlo.reshape %4 : (tensor<24xf32>) -> tensor<4x6xf32>
    %5 = stablehlo.slice %theta [192:212] : (tensor<247xf32>) -> tensor<20xf32>
    %predictor.0.weight = stablehlo.reshape %5 : (tensor<20xf32>) -> tensor<5x4xf32>
    %predictor.0.bias = stablehlo.slice %theta [212:217] : (tensor<247xf32>) -> tensor<5xf32>
    %predictor.1.running_mean = stablehlo.slice %online.statistics [24:29] : (tensor<34xf32>) -> tensor<5xf32>
    %predictor.1.weight = stablehlo.slice %theta [217:222] : (tensor<247xf32>) -> tensor<5xf32>
    %predictor.1.bias = stablehlo.slice %theta [222:227] : (tensor<247xf32>) -> tensor<5xf32>
    %6 = stablehlo.slice %theta [227:247] : (tensor<247xf32>) -> tensor<20xf32>
    %predictor.3.weight = stablehlo.reshape %6 : (tensor<20xf32>) -> tensor<4x5xf32>
    return %encoder.conv1.weight, %encoder.bn1.running_mean, %encoder.bn1.weight, %encoder.bn1.bias, %encoder.layer1.0.conv1.weight, %encoder.layer1.0.bn1.running_mean, %encoder.layer1.0.bn1.weight, %encoder.layer1.0.bn1.bias, %encoder.layer1.0.conv2.weight, %encoder.layer1.0.bn2.running_mean, %encoder.layer1.0.bn2.weight, %encoder.layer1.0.bn2.bias, %projector.0.weight, %projector.0.bias, %projector.1.running_mean, %projector.1.weight, %projector.1.bias, %projector.3.weight, %predictor.0.weight, %predictor.0.bias, %predictor.1.running_mean, %predictor.1.weight, %predictor.1.bias, %predictor.3.weight : tensor<2x3x3x3xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2x3x3x2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2x3x3x2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<6x2xf32>, tensor<6xf32>, tensor<6xf32>, tensor<6xf32>, tensor<6xf32>, tensor<4x6xf32>, tensor<5x4xf32>, tensor<5xf32>, tensor<5xf32>, tensor<5xf32>, tensor<5xf32>, tensor<4x5xf32>
  }
}
module @prepare_target {
  func.func public @main(
      %xi: tensor<247xf32>,
      %target.statistics: tensor<34xf32>
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
      tensor<6x2xf32>,
      tensor<6xf32>,
      tensor<6xf32>,
      tensor<6xf32>,
      tensor<6xf32>,
      tensor<4x6xf32>
  ) {
    %0 = stablehlo.slice %xi [0:54] : (tensor<247xf32>) -> tensor<54xf32>
    %encoder.conv1.weight = stablehlo.reshape %0 : (tensor<54xf32>) -> tensor<2x3x3x3xf32>
    %encoder.bn1.running_mean = stablehlo.slice %target.statistics [0:2] : (tensor<34xf32>) -> tensor<2xf32>
    %encoder.bn1.weight = stablehlo.slice %xi [54:56] : (tensor<247xf32>) -> tensor<2xf32>
    %encoder.bn1.bias = stablehlo.slice %xi [56:58] : (tensor<247xf32>) -> tensor<2xf32>
    %1 = stablehlo.slice %xi [58:94] : (tensor<247xf32>) -> tensor<36xf32>
    %encoder.layer1.0.conv1.weight = stablehlo.reshape %1 : (tensor<36xf32>) -> tensor<2x3x3x2xf32>
    %encoder.layer1.0.bn1.running_mean = stablehlo.slice %target.statistics [4:6] : (tensor<34xf32>) -> tensor<2xf32>
    %encoder.layer1.0.bn1.weight = stablehlo.slice %xi [94:96] : (tensor<247xf32>) -> tensor<2xf32>
    %encoder.layer1.0.bn1.bias = stablehlo.slice %xi [96:98] : (tensor<247xf32>) -> tensor<2xf32>
    %2 = stablehlo.slice %xi [98:134] : (tensor<247xf32>) -> tensor<36xf32>
    %encoder.layer1.0.conv2.weight = stablehlo.reshape %2 : (tensor<36xf32>) -> tensor<2x3x3x2xf32>
    %encoder.layer1.0.bn2.running_mean = stablehlo.slice %target.statistics [8:10] : (tensor<34xf32>) -> tensor<2xf32>
    %encoder.layer1.0.bn2.weight = stablehlo.slice %xi [134:136] : (tensor<247xf32>) -> tensor<2xf32>
    %encoder.layer1.0.bn2.bias = stablehlo.slice %xi [136:138] : (tensor<247xf32>) -> tensor<2xf32>
    %3 = stablehlo.slice %xi [138:150] : (tensor<247xf32>) -> tensor<12xf32>
    %projector.0.weight = stablehlo.reshape %3 : (tensor<12xf32>) -> tensor<6x2xf32>
    %projector.0.bias = stablehlo.slice %xi [150:156] : (tensor<247xf32>) -> tensor<6xf32>
    %projector.1.running_mean = stablehlo.slice %target.statistics [12:18] : (tensor<34xf32>) -> tensor<6xf32>
    %projector.1.weight = stablehlo.slice %xi [156:162] : (tensor<247xf32>) -> tensor<6xf32>
    %projector.1.bias = stablehlo.slice %xi [162:168] : (tensor<247xf32>) -> tensor<6xf32>
    %4 = stablehlo.slice %xi [168:192] : (tensor<247xf32>) -> tensor<24xf32>
    %projector.3.weight = stablehlo.reshape %4 : (tensor<24xf32>) -> tensor<4x6xf32>
    return %encoder.conv1.weight, %encoder.bn1.running_mean, %encoder.bn1.weight, %encoder.bn1.bias, %encoder.layer1.0.conv1.weight, %encoder.layer1.0.bn1.running_mean, %encoder.layer1.0.bn1.weight, %encoder.layer1.0.bn1.bias, %encoder.layer1.0.conv2.weight, %encoder.layer1.0.bn2.running_mean, %encoder.layer1.0.bn2.weight, %encoder.layer1.0.bn2.bias, %projector.0.weight, %projector.0.bias, %projector.1.running_mean, %projector.1.weight, %projector.1.bias, %projector.3.weight : tensor<2x3x3x3xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2x3x3x2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2x3x3x2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<6x2xf32>, tensor<6xf32>, tensor<6xf32>, tensor<6xf32>, tensor<6xf32>, tensor<4x6xf32>
  }
}
module @online_0 {
  func.func public @main(
      %images: tensor<4x8x8x3xf32>,
      %encoder.conv1.weight: tensor<2x3x3x3xf32>,
      %encoder.bn1.running_mean: tensor<2xf32>,
      %encoder.bn1.weight: tensor<2xf32>,
      %encoder.bn1.bias: tensor<2xf32>,
      %encoder.layer1.0.conv1.weight: tensor<2x3x3x2xf32>,
      %encoder.layer1.0.bn1.running_mean: tensor<2xf32>,
      %encoder.layer1.0.bn1.weight: tensor<2xf32>,
      %encoder.layer1.0.bn1.bias: tensor<2xf32>,
      %encoder.layer1.0.conv2.weight: tensor<2x3x3x2xf32>,
      %encoder.layer1.0.bn2.running_mean: tensor<2xf32>,
      %encoder.layer1.0.bn2.weight: tensor<2xf32>,
      %encoder.layer1.0.bn2.bias: tensor<2xf32>,
      %projector.0.weight: tensor<6x2xf32>,
      %projector.0.bias: tensor<6xf32>,
      %projector.1.running_mean: tensor<6xf32>,
      %projector.1.weight: tensor<6xf32>,
      %projector.1.bias: tensor<6xf32>,
      %projector.3.weight: tensor<4x6xf32>,
      %predictor.0.weight: tensor<5x4xf32>,
      %predictor.0.bias: tensor<5xf32>,
      %predictor.1.running_mean: tensor<5xf32>,
      %predictor.1.weight: tensor<5xf32>,
      %predictor.1.bias: tensor<5xf32>,
      %predictor.3.weight: tensor<4x5xf32>
  ) -> (
      tensor<4x8x8x2xf32>,
      tensor<8xf32>,
      tensor<4x8x8x2xf32>,
      tensor<4x8x8x2xf32>,
      tensor<8xf32>,
      tensor<4x8x8x2xf32>,
      tensor<4x8x8x2xf32>,
      tensor<8xf32>,
      tensor<4x8x8x2xf32>,
      tensor<4x2xf32>,
      tensor<4x6xf32>,
      tensor<24xf32>,
      tensor<4x6xf32>,
      tensor<4x4xf32>,
      tensor<4x5xf32>,
      tensor<20xf32>,
      tensor<4x5xf32>,
      tensor<4x4xf32>,
      tensor<68xf32>
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
    %9 = stablehlo.reshape %8 : (tensor<2x4xf32>) -> tensor<8xf32>
    %10 = stablehlo.reshape %9 : (tensor<8xf32>) -> tensor<2x4xf32>
    %11 = stablehlo.constant dense<7.8125e-03> : tensor<2x4xf32>
    %12 = stablehlo.multiply %10, %11 : tensor<2x4xf32>
    %13 = stablehlo.slice %12 [0:2, 0:2] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %14 = stablehlo.slice %12 [0:2, 2:4] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %15 = stablehlo.multiply %13, %13 : tensor<2x2xf32>
    %16 = stablehlo.subtract %14, %15 : tensor<2x2xf32>
    %17 = stablehlo.constant dense<0.0e+00> : tensor<2x2xf32>
    %18 = stablehlo.maximum %16, %17 : tensor<2x2xf32>
    %19 = stablehlo.constant dense<1.0e-05> : tensor<2x2xf32>
    %20 = stablehlo.add %18, %19 : tensor<2x2xf32>
    %21 = stablehlo.rsqrt %20 : tensor<2x2xf32>
    %22 = stablehlo.broadcast_in_dim %encoder.bn1.running_mean, dims = [1] : (tensor<2xf32>) -> tensor<2x2xf32>
    %23 = stablehlo.add %13, %22 : tensor<2x2xf32>
    %24 = stablehlo.concatenate %23, %21, dim = 1 : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x4xf32>
    %encoder.bn1.statistics = stablehlo.reshape %24 : (tensor<2x4xf32>) -> tensor<8xf32>
    // encoder.bn1: normalise
    %25 = stablehlo.reshape %encoder.conv1.z : (tensor<4x8x8x2xf32>) -> tensor<2x128x2xf32>
    %26 = stablehlo.reshape %encoder.bn1.statistics : (tensor<8xf32>) -> tensor<2x4xf32>
    %27 = stablehlo.slice %26 [0:2, 0:2] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %28 = stablehlo.broadcast_in_dim %27, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x128x2xf32>
    %29 = stablehlo.subtract %25, %28 : tensor<2x128x2xf32>
    %30 = stablehlo.reshape %encoder.bn1.statistics : (tensor<8xf32>) -> tensor<2x4xf32>
    %31 = stablehlo.slice %30 [0:2, 2:4] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %32 = stablehlo.broadcast_in_dim %31, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x128x2xf32>
    %33 = stablehlo.multiply %29, %32 : tensor<2x128x2xf32>
    %34 = stablehlo.broadcast_in_dim %encoder.bn1.weight, dims = [2] : (tensor<2xf32>) -> tensor<2x128x2xf32>
    %35 = stablehlo.multiply %33, %34 : tensor<2x128x2xf32>
    %36 = stablehlo.broadcast_in_dim %encoder.bn1.bias, dims = [2] : (tensor<2xf32>) -> tensor<2x128x2xf32>
    %37 = stablehlo.add %35, %36 : tensor<2x128x2xf32>
    %38 = stablehlo.reshape %37 : (tensor<2x128x2xf32>) -> tensor<4x8x8x2xf32>
    %39 = stablehlo.constant dense<0.0e+00> : tensor<4x8x8x2xf32>
    %encoder.conv1.y = stablehlo.maximum %38, %39 : tensor<4x8x8x2xf32>
    // encoder.layer1.0.conv1: 3×3, stride 1, 2 to 2 channels
    %encoder.layer1.0.conv1.z = stablehlo.convolution(%encoder.conv1.y, %encoder.layer1.0.conv1.weight) dim_numbers = [b, 0, 1, f]x[o, 0, 1, i]->[b, 0, 1, f], window = {stride = [1, 1], pad = [[1, 1], [1, 1]], lhs_dilate = [1, 1], rhs_dilate = [1, 1]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64, precision_config = [#stablehlo<precision HIGHEST>, #stablehlo<precision HIGHEST>]} : (tensor<4x8x8x2xf32>, tensor<2x3x3x2xf32>) -> tensor<4x8x8x2xf32>
    // encoder.layer1.0.bn1: sums of the distance from the running mean, and of its square
    %40 = stablehlo.reshape %encoder.layer1.0.conv1.z : (tensor<4x8x8x2xf32>) -> tensor<2x128x2xf32>
    %41 = stablehlo.broadcast_in_dim %encoder.layer1.0.bn1.running_mean, dims = [2] : (tensor<2xf32>) -> tensor<2x128x2xf32>
    %42 = stablehlo.subtract %40, %41 : tensor<2x128x2xf32>
    %43 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %44 = stablehlo.reduce(%42 init: %43) applies stablehlo.add across dimensions = [1] : (tensor<2x128x2xf32>, tensor<f32>) -> tensor<2x2xf32>
    %45 = stablehlo.multiply %42, %42 : tensor<2x128x2xf32>
    %46 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %47 = stablehlo.reduce(%45 init: %46) applies stablehlo.add across dimensions = [1] : (tensor<2x128x2xf32>, tensor<f32>) -> tensor<2x2xf32>
    %48 = stablehlo.concatenate %44, %47, dim = 1 : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x4xf32>
    %49 = stablehlo.reshape %48 : (tensor<2x4xf32>) -> tensor<8xf32>
    %50 = stablehlo.reshape %49 : (tensor<8xf32>) -> tensor<2x4xf32>
    %51 = stablehlo.constant dense<7.8125e-03> : tensor<2x4xf32>
    %52 = stablehlo.multiply %50, %51 : tensor<2x4xf32>
    %53 = stablehlo.slice %52 [0:2, 0:2] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %54 = stablehlo.slice %52 [0:2, 2:4] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %55 = stablehlo.multiply %53, %53 : tensor<2x2xf32>
    %56 = stablehlo.subtract %54, %55 : tensor<2x2xf32>
    %57 = stablehlo.constant dense<0.0e+00> : tensor<2x2xf32>
    %58 = stablehlo.maximum %56, %57 : tensor<2x2xf32>
    %59 = stablehlo.constant dense<1.0e-05> : tensor<2x2xf32>
    %60 = stablehlo.add %58, %59 : tensor<2x2xf32>
    %61 = stablehlo.rsqrt %60 : tensor<2x2xf32>
    %62 = stablehlo.broadcast_in_dim %encoder.layer1.0.bn1.running_mean, dims = [1] : (tensor<2xf32>) -> tensor<2x2xf32>
    %63 = stablehlo.add %53, %62 : tensor<2x2xf32>
    %64 = stablehlo.concatenate %63, %61, dim = 1 : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x4xf32>
    %encoder.layer1.0.bn1.statistics = stablehlo.reshape %64 : (tensor<2x4xf32>) -> tensor<8xf32>
    // encoder.layer1.0.bn1: normalise
    %65 = stablehlo.reshape %encoder.layer1.0.conv1.z : (tensor<4x8x8x2xf32>) -> tensor<2x128x2xf32>
    %66 = stablehlo.reshape %encoder.layer1.0.bn1.statistics : (tensor<8xf32>) -> tensor<2x4xf32>
    %67 = stablehlo.slice %66 [0:2, 0:2] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %68 = stablehlo.broadcast_in_dim %67, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x128x2xf32>
    %69 = stablehlo.subtract %65, %68 : tensor<2x128x2xf32>
    %70 = stablehlo.reshape %encoder.layer1.0.bn1.statistics : (tensor<8xf32>) -> tensor<2x4xf32>
    %71 = stablehlo.slice %70 [0:2, 2:4] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %72 = stablehlo.broadcast_in_dim %71, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x128x2xf32>
    %73 = stablehlo.multiply %69, %72 : tensor<2x128x2xf32>
    %74 = stablehlo.broadcast_in_dim %encoder.layer1.0.bn1.weight, dims = [2] : (tensor<2xf32>) -> tensor<2x128x2xf32>
    %75 = stablehlo.multiply %73, %74 : tensor<2x128x2xf32>
    %76 = stablehlo.broadcast_in_dim %encoder.layer1.0.bn1.bias, dims = [2] : (tensor<2xf32>) -> tensor<2x128x2xf32>
    %77 = stablehlo.add %75, %76 : tensor<2x128x2xf32>
    %78 = stablehlo.reshape %77 : (tensor<2x128x2xf32>) -> tensor<4x8x8x2xf32>
    %79 = stablehlo.constant dense<0.0e+00> : tensor<4x8x8x2xf32>
    %encoder.layer1.0.conv1.y = stablehlo.maximum %78, %79 : tensor<4x8x8x2xf32>
    // encoder.layer1.0.conv2: 3×3, stride 1, 2 to 2 channels
    %encoder.layer1.0.conv2.z = stablehlo.convolution(%encoder.layer1.0.conv1.y, %encoder.layer1.0.conv2.weight) dim_numbers = [b, 0, 1, f]x[o, 0, 1, i]->[b, 0, 1, f], window = {stride = [1, 1], pad = [[1, 1], [1, 1]], lhs_dilate = [1, 1], rhs_dilate = [1, 1]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64, precision_config = [#stablehlo<precision HIGHEST>, #stablehlo<precision HIGHEST>]} : (tensor<4x8x8x2xf32>, tensor<2x3x3x2xf32>) -> tensor<4x8x8x2xf32>
    // encoder.layer1.0.bn2: sums of the distance from the running mean, and of its square
    %80 = stablehlo.reshape %encoder.layer1.0.conv2.z : (tensor<4x8x8x2xf32>) -> tensor<2x128x2xf32>
    %81 = stablehlo.broadcast_in_dim %encoder.layer1.0.bn2.running_mean, dims = [2] : (tensor<2xf32>) -> tensor<2x128x2xf32>
    %82 = stablehlo.subtract %80, %81 : tensor<2x128x2xf32>
    %83 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %84 = stablehlo.reduce(%82 init: %83) applies stablehlo.add across dimensions = [1] : (tensor<2x128x2xf32>, tensor<f32>) -> tensor<2x2xf32>
    %85 = stablehlo.multiply %82, %82 : tensor<2x128x2xf32>
    %86 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %87 = stablehlo.reduce(%85 init: %86) applies stablehlo.add across dimensions = [1] : (tensor<2x128x2xf32>, tensor<f32>) -> tensor<2x2xf32>
    %88 = stablehlo.concatenate %84, %87, dim = 1 : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x4xf32>
    %89 = stablehlo.reshape %88 : (tensor<2x4xf32>) -> tensor<8xf32>
    %90 = stablehlo.reshape %89 : (tensor<8xf32>) -> tensor<2x4xf32>
    %91 = stablehlo.constant dense<7.8125e-03> : tensor<2x4xf32>
    %92 = stablehlo.multiply %90, %91 : tensor<2x4xf32>
    %93 = stablehlo.slice %92 [0:2, 0:2] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %94 = stablehlo.slice %92 [0:2, 2:4] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %95 = stablehlo.multiply %93, %93 : tensor<2x2xf32>
    %96 = stablehlo.subtract %94, %95 : tensor<2x2xf32>
    %97 = stablehlo.constant dense<0.0e+00> : tensor<2x2xf32>
    %98 = stablehlo.maximum %96, %97 : tensor<2x2xf32>
    %99 = stablehlo.constant dense<1.0e-05> : tensor<2x2xf32>
    %100 = stablehlo.add %98, %99 : tensor<2x2xf32>
    %101 = stablehlo.rsqrt %100 : tensor<2x2xf32>
    %102 = stablehlo.broadcast_in_dim %encoder.layer1.0.bn2.running_mean, dims = [1] : (tensor<2xf32>) -> tensor<2x2xf32>
    %103 = stablehlo.add %93, %102 : tensor<2x2xf32>
    %104 = stablehlo.concatenate %103, %101, dim = 1 : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x4xf32>
    %encoder.layer1.0.bn2.statistics = stablehlo.reshape %104 : (tensor<2x4xf32>) -> tensor<8xf32>
    // encoder.layer1.0.bn2: normalise
    %105 = stablehlo.reshape %encoder.layer1.0.conv2.z : (tensor<4x8x8x2xf32>) -> tensor<2x128x2xf32>
    %106 = stablehlo.reshape %encoder.layer1.0.bn2.statistics : (tensor<8xf32>) -> tensor<2x4xf32>
    %107 = stablehlo.slice %106 [0:2, 0:2] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %108 = stablehlo.broadcast_in_dim %107, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x128x2xf32>
    %109 = stablehlo.subtract %105, %108 : tensor<2x128x2xf32>
    %110 = stablehlo.reshape %encoder.layer1.0.bn2.statistics : (tensor<8xf32>) -> tensor<2x4xf32>
    %111 = stablehlo.slice %110 [0:2, 2:4] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %112 = stablehlo.broadcast_in_dim %111, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x128x2xf32>
    %113 = stablehlo.multiply %109, %112 : tensor<2x128x2xf32>
    %114 = stablehlo.broadcast_in_dim %encoder.layer1.0.bn2.weight, dims = [2] : (tensor<2xf32>) -> tensor<2x128x2xf32>
    %115 = stablehlo.multiply %113, %114 : tensor<2x128x2xf32>
    %116 = stablehlo.broadcast_in_dim %encoder.layer1.0.bn2.bias, dims = [2] : (tensor<2xf32>) -> tensor<2x128x2xf32>
    %117 = stablehlo.add %115, %116 : tensor<2x128x2xf32>
    %118 = stablehlo.reshape %117 : (tensor<2x128x2xf32>) -> tensor<4x8x8x2xf32>
    %119 = stablehlo.add %118, %encoder.conv1.y : tensor<4x8x8x2xf32>
    %120 = stablehlo.constant dense<0.0e+00> : tensor<4x8x8x2xf32>
    %encoder.layer1.0.conv2.y = stablehlo.maximum %119, %120 : tensor<4x8x8x2xf32>
    // mean over positions
    %121 = stablehlo.reshape %encoder.layer1.0.conv2.y : (tensor<4x8x8x2xf32>) -> tensor<4x64x2xf32>
    %122 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %123 = stablehlo.reduce(%121 init: %122) applies stablehlo.add across dimensions = [1] : (tensor<4x64x2xf32>, tensor<f32>) -> tensor<4x2xf32>
    %124 = stablehlo.constant dense<1.5625e-02> : tensor<4x2xf32>
    %embedding = stablehlo.multiply %123, %124 : tensor<4x2xf32>
    // projector.0: 2 to 6
    %125 = stablehlo.dot_general %embedding, %projector.0.weight, contracting_dims = [1] x [1], precision = [HIGHEST, HIGHEST] : (tensor<4x2xf32>, tensor<6x2xf32>) -> tensor<4x6xf32>
    %126 = stablehlo.broadcast_in_dim %projector.0.bias, dims = [1] : (tensor<6xf32>) -> tensor<4x6xf32>
    %projector.0.z = stablehlo.add %125, %126 : tensor<4x6xf32>
    // projector.1: sums of the distance from the running mean, and of its square
    %127 = stablehlo.reshape %projector.0.z : (tensor<4x6xf32>) -> tensor<2x2x6xf32>
    %128 = stablehlo.broadcast_in_dim %projector.1.running_mean, dims = [2] : (tensor<6xf32>) -> tensor<2x2x6xf32>
    %129 = stablehlo.subtract %127, %128 : tensor<2x2x6xf32>
    %130 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %131 = stablehlo.reduce(%129 init: %130) applies stablehlo.add across dimensions = [1] : (tensor<2x2x6xf32>, tensor<f32>) -> tensor<2x6xf32>
    %132 = stablehlo.multiply %129, %129 : tensor<2x2x6xf32>
    %133 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %134 = stablehlo.reduce(%132 init: %133) applies stablehlo.add across dimensions = [1] : (tensor<2x2x6xf32>, tensor<f32>) -> tensor<2x6xf32>
    %135 = stablehlo.concatenate %131, %134, dim = 1 : (tensor<2x6xf32>, tensor<2x6xf32>) -> tensor<2x12xf32>
    %136 = stablehlo.reshape %135 : (tensor<2x12xf32>) -> tensor<24xf32>
    %137 = stablehlo.reshape %136 : (tensor<24xf32>) -> tensor<2x12xf32>
    %138 = stablehlo.constant dense<5.0e-01> : tensor<2x12xf32>
    %139 = stablehlo.multiply %137, %138 : tensor<2x12xf32>
    %140 = stablehlo.slice %139 [0:2, 0:6] : (tensor<2x12xf32>) -> tensor<2x6xf32>
    %141 = stablehlo.slice %139 [0:2, 6:12] : (tensor<2x12xf32>) -> tensor<2x6xf32>
    %142 = stablehlo.multiply %140, %140 : tensor<2x6xf32>
    %143 = stablehlo.subtract %141, %142 : tensor<2x6xf32>
    %144 = stablehlo.constant dense<0.0e+00> : tensor<2x6xf32>
    %145 = stablehlo.maximum %143, %144 : tensor<2x6xf32>
    %146 = stablehlo.constant dense<1.0e-05> : tensor<2x6xf32>
    %147 = stablehlo.add %145, %146 : tensor<2x6xf32>
    %148 = stablehlo.rsqrt %147 : tensor<2x6xf32>
    %149 = stablehlo.broadcast_in_dim %projector.1.running_mean, dims = [1] : (tensor<6xf32>) -> tensor<2x6xf32>
    %150 = stablehlo.add %140, %149 : tensor<2x6xf32>
    %151 = stablehlo.concatenate %150, %148, dim = 1 : (tensor<2x6xf32>, tensor<2x6xf32>) -> tensor<2x12xf32>
    %projector.1.statistics = stablehlo.reshape %151 : (tensor<2x12xf32>) -> tensor<24xf32>
    // projector.1: normalise
    %152 = stablehlo.reshape %projector.0.z : (tensor<4x6xf32>) -> tensor<2x2x6xf32>
    %153 = stablehlo.reshape %projector.1.statistics : (tensor<24xf32>) -> tensor<2x12xf32>
    %154 = stablehlo.slice %153 [0:2, 0:6] : (tensor<2x12xf32>) -> tensor<2x6xf32>
    %155 = stablehlo.broadcast_in_dim %154, dims = [0, 2] : (tensor<2x6xf32>) -> tensor<2x2x6xf32>
    %156 = stablehlo.subtract %152, %155 : tensor<2x2x6xf32>
    %157 = stablehlo.reshape %projector.1.statistics : (tensor<24xf32>) -> tensor<2x12xf32>
    %158 = stablehlo.slice %157 [0:2, 6:12] : (tensor<2x12xf32>) -> tensor<2x6xf32>
    %159 = stablehlo.broadcast_in_dim %158, dims = [0, 2] : (tensor<2x6xf32>) -> tensor<2x2x6xf32>
    %160 = stablehlo.multiply %156, %159 : tensor<2x2x6xf32>
    %161 = stablehlo.broadcast_in_dim %projector.1.weight, dims = [2] : (tensor<6xf32>) -> tensor<2x2x6xf32>
    %162 = stablehlo.multiply %160, %161 : tensor<2x2x6xf32>
    %163 = stablehlo.broadcast_in_dim %projector.1.bias, dims = [2] : (tensor<6xf32>) -> tensor<2x2x6xf32>
    %164 = stablehlo.add %162, %163 : tensor<2x2x6xf32>
    %165 = stablehlo.reshape %164 : (tensor<2x2x6xf32>) -> tensor<4x6xf32>
    %166 = stablehlo.constant dense<0.0e+00> : tensor<4x6xf32>
    %projector.0.y = stablehlo.maximum %165, %166 : tensor<4x6xf32>
    // projector.3: 6 to 4
    %projection = stablehlo.dot_general %projector.0.y, %projector.3.weight, contracting_dims = [1] x [1], precision = [HIGHEST, HIGHEST] : (tensor<4x6xf32>, tensor<4x6xf32>) -> tensor<4x4xf32>
    // predictor.0: 4 to 5
    %167 = stablehlo.dot_general %projection, %predictor.0.weight, contracting_dims = [1] x [1], precision = [HIGHEST, HIGHEST] : (tensor<4x4xf32>, tensor<5x4xf32>) -> tensor<4x5xf32>
    %168 = stablehlo.broadcast_in_dim %predictor.0.bias, dims = [1] : (tensor<5xf32>) -> tensor<4x5xf32>
    %predictor.0.z = stablehlo.add %167, %168 : tensor<4x5xf32>
    // predictor.1: sums of the distance from the running mean, and of its square
    %169 = stablehlo.reshape %predictor.0.z : (tensor<4x5xf32>) -> tensor<2x2x5xf32>
    %170 = stablehlo.broadcast_in_dim %predictor.1.running_mean, dims = [2] : (tensor<5xf32>) -> tensor<2x2x5xf32>
    %171 = stablehlo.subtract %169, %170 : tensor<2x2x5xf32>
    %172 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %173 = stablehlo.reduce(%171 init: %172) applies stablehlo.add across dimensions = [1] : (tensor<2x2x5xf32>, tensor<f32>) -> tensor<2x5xf32>
    %174 = stablehlo.multiply %171, %171 : tensor<2x2x5xf32>
    %175 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %176 = stablehlo.reduce(%174 init: %175) applies stablehlo.add across dimensions = [1] : (tensor<2x2x5xf32>, tensor<f32>) -> tensor<2x5xf32>
    %177 = stablehlo.concatenate %173, %176, dim = 1 : (tensor<2x5xf32>, tensor<2x5xf32>) -> tensor<2x10xf32>
    %178 = stablehlo.reshape %177 : (tensor<2x10xf32>) -> tensor<20xf32>
    %179 = stablehlo.reshape %178 : (tensor<20xf32>) -> tensor<2x10xf32>
    %180 = stablehlo.constant dense<5.0e-01> : tensor<2x10xf32>
    %181 = stablehlo.multiply %179, %180 : tensor<2x10xf32>
    %182 = stablehlo.slice %181 [0:2, 0:5] : (tensor<2x10xf32>) -> tensor<2x5xf32>
    %183 = stablehlo.slice %181 [0:2, 5:10] : (tensor<2x10xf32>) -> tensor<2x5xf32>
    %184 = stablehlo.multiply %182, %182 : tensor<2x5xf32>
    %185 = stablehlo.subtract %183, %184 : tensor<2x5xf32>
    %186 = stablehlo.constant dense<0.0e+00> : tensor<2x5xf32>
    %187 = stablehlo.maximum %185, %186 : tensor<2x5xf32>
    %188 = stablehlo.constant dense<1.0e-05> : tensor<2x5xf32>
    %189 = stablehlo.add %187, %188 : tensor<2x5xf32>
    %190 = stablehlo.rsqrt %189 : tensor<2x5xf32>
    %191 = stablehlo.broadcast_in_dim %predictor.1.running_mean, dims = [1] : (tensor<5xf32>) -> tensor<2x5xf32>
    %192 = stablehlo.add %182, %191 : tensor<2x5xf32>
    %193 = stablehlo.concatenate %192, %190, dim = 1 : (tensor<2x5xf32>, tensor<2x5xf32>) -> tensor<2x10xf32>
    %predictor.1.statistics = stablehlo.reshape %193 : (tensor<2x10xf32>) -> tensor<20xf32>
    // predictor.1: normalise
    %194 = stablehlo.reshape %predictor.0.z : (tensor<4x5xf32>) -> tensor<2x2x5xf32>
    %195 = stablehlo.reshape %predictor.1.statistics : (tensor<20xf32>) -> tensor<2x10xf32>
    %196 = stablehlo.slice %195 [0:2, 0:5] : (tensor<2x10xf32>) -> tensor<2x5xf32>
    %197 = stablehlo.broadcast_in_dim %196, dims = [0, 2] : (tensor<2x5xf32>) -> tensor<2x2x5xf32>
    %198 = stablehlo.subtract %194, %197 : tensor<2x2x5xf32>
    %199 = stablehlo.reshape %predictor.1.statistics : (tensor<20xf32>) -> tensor<2x10xf32>
    %200 = stablehlo.slice %199 [0:2, 5:10] : (tensor<2x10xf32>) -> tensor<2x5xf32>
    %201 = stablehlo.broadcast_in_dim %200, dims = [0, 2] : (tensor<2x5xf32>) -> tensor<2x2x5xf32>
    %202 = stablehlo.multiply %198, %201 : tensor<2x2x5xf32>
    %203 = stablehlo.broadcast_in_dim %predictor.1.weight, dims = [2] : (tensor<5xf32>) -> tensor<2x2x5xf32>
    %204 = stablehlo.multiply %202, %203 : tensor<2x2x5xf32>
    %205 = stablehlo.broadcast_in_dim %predictor.1.bias, dims = [2] : (tensor<5xf32>) -> tensor<2x2x5xf32>
    %206 = stablehlo.add %204, %205 : tensor<2x2x5xf32>
    %207 = stablehlo.reshape %206 : (tensor<2x2x5xf32>) -> tensor<4x5xf32>
    %208 = stablehlo.constant dense<0.0e+00> : tensor<4x5xf32>
    %predictor.0.y = stablehlo.maximum %207, %208 : tensor<4x5xf32>
    // predictor.3: 5 to 4
    %prediction = stablehlo.dot_general %predictor.0.y, %predictor.3.weight, contracting_dims = [1] x [1], precision = [HIGHEST, HIGHEST] : (tensor<4x5xf32>, tensor<4x5xf32>) -> tensor<4x4xf32>
    %sums = stablehlo.concatenate %9, %49, %89, %136, %178, dim = 0 : (tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<24xf32>, tensor<20xf32>) -> tensor<68xf32>
    return %encoder.conv1.z, %encoder.bn1.statistics, %encoder.conv1.y, %encoder.layer1.0.conv1.z, %encoder.layer1.0.bn1.statistics, %encoder.layer1.0.conv1.y, %encoder.layer1.0.conv2.z, %encoder.layer1.0.bn2.statistics, %encoder.layer1.0.conv2.y, %embedding, %projector.0.z, %projector.1.statistics, %projector.0.y, %projection, %predictor.0.z, %predictor.1.statistics, %predictor.0.y, %prediction, %sums : tensor<4x8x8x2xf32>, tensor<8xf32>, tensor<4x8x8x2xf32>, tensor<4x8x8x2xf32>, tensor<8xf32>, tensor<4x8x8x2xf32>, tensor<4x8x8x2xf32>, tensor<8xf32>, tensor<4x8x8x2xf32>, tensor<4x2xf32>, tensor<4x6xf32>, tensor<24xf32>, tensor<4x6xf32>, tensor<4x4xf32>, tensor<4x5xf32>, tensor<20xf32>, tensor<4x5xf32>, tensor<4x4xf32>, tensor<68xf32>
  }
}
module @target_0 {
  func.func public @main(
      %images: tensor<4x8x8x3xf32>,
      %encoder.conv1.weight: tensor<2x3x3x3xf32>,
      %encoder.bn1.running_mean: tensor<2xf32>,
      %encoder.bn1.weight: tensor<2xf32>,
      %encoder.bn1.bias: tensor<2xf32>,
      %encoder.layer1.0.conv1.weight: tensor<2x3x3x2xf32>,
      %encoder.layer1.0.bn1.running_mean: tensor<2xf32>,
      %encoder.layer1.0.bn1.weight: tensor<2xf32>,
      %encoder.layer1.0.bn1.bias: tensor<2xf32>,
      %encoder.layer1.0.conv2.weight: tensor<2x3x3x2xf32>,
      %encoder.layer1.0.bn2.running_mean: tensor<2xf32>,
      %encoder.layer1.0.bn2.weight: tensor<2xf32>,
      %encoder.layer1.0.bn2.bias: tensor<2xf32>,
      %projector.0.weight: tensor<6x2xf32>,
      %projector.0.bias: tensor<6xf32>,
      %projector.1.running_mean: tensor<6xf32>,
      %projector.1.weight: tensor<6xf32>,
      %projector.1.bias: tensor<6xf32>,
      %projector.3.weight: tensor<4x6xf32>
  ) -> (
      tensor<4x4xf32>,
      tensor<48xf32>
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
    %10 = stablehlo.reshape %9 : (tensor<2x4xf32>) -> tensor<8xf32>
    %11 = stablehlo.reshape %10 : (tensor<8xf32>) -> tensor<2x4xf32>
    %12 = stablehlo.constant dense<7.8125e-03> : tensor<2x4xf32>
    %13 = stablehlo.multiply %11, %12 : tensor<2x4xf32>
    %14 = stablehlo.slice %13 [0:2, 0:2] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %15 = stablehlo.slice %13 [0:2, 2:4] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %16 = stablehlo.multiply %14, %14 : tensor<2x2xf32>
    %17 = stablehlo.subtract %15, %16 : tensor<2x2xf32>
    %18 = stablehlo.constant dense<0.0e+00> : tensor<2x2xf32>
    %19 = stablehlo.maximum %17, %18 : tensor<2x2xf32>
    %20 = stablehlo.constant dense<1.0e-05> : tensor<2x2xf32>
    %21 = stablehlo.add %19, %20 : tensor<2x2xf32>
    %22 = stablehlo.rsqrt %21 : tensor<2x2xf32>
    %23 = stablehlo.broadcast_in_dim %encoder.bn1.running_mean, dims = [1] : (tensor<2xf32>) -> tensor<2x2xf32>
    %24 = stablehlo.add %14, %23 : tensor<2x2xf32>
    %25 = stablehlo.concatenate %24, %22, dim = 1 : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x4xf32>
    %encoder.bn1.statistics = stablehlo.reshape %25 : (tensor<2x4xf32>) -> tensor<8xf32>
    // encoder.bn1: normalise
    %26 = stablehlo.reshape %0 : (tensor<4x8x8x2xf32>) -> tensor<2x128x2xf32>
    %27 = stablehlo.reshape %encoder.bn1.statistics : (tensor<8xf32>) -> tensor<2x4xf32>
    %28 = stablehlo.slice %27 [0:2, 0:2] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %29 = stablehlo.broadcast_in_dim %28, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x128x2xf32>
    %30 = stablehlo.subtract %26, %29 : tensor<2x128x2xf32>
    %31 = stablehlo.reshape %encoder.bn1.statistics : (tensor<8xf32>) -> tensor<2x4xf32>
    %32 = stablehlo.slice %31 [0:2, 2:4] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %33 = stablehlo.broadcast_in_dim %32, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x128x2xf32>
    %34 = stablehlo.multiply %30, %33 : tensor<2x128x2xf32>
    %35 = stablehlo.broadcast_in_dim %encoder.bn1.weight, dims = [2] : (tensor<2xf32>) -> tensor<2x128x2xf32>
    %36 = stablehlo.multiply %34, %35 : tensor<2x128x2xf32>
    %37 = stablehlo.broadcast_in_dim %encoder.bn1.bias, dims = [2] : (tensor<2xf32>) -> tensor<2x128x2xf32>
    %38 = stablehlo.add %36, %37 : tensor<2x128x2xf32>
    %39 = stablehlo.reshape %38 : (tensor<2x128x2xf32>) -> tensor<4x8x8x2xf32>
    %40 = stablehlo.constant dense<0.0e+00> : tensor<4x8x8x2xf32>
    %41 = stablehlo.maximum %39, %40 : tensor<4x8x8x2xf32>
    // encoder.layer1.0.conv1: 3×3, stride 1, 2 to 2 channels
    %42 = stablehlo.convolution(%41, %encoder.layer1.0.conv1.weight) dim_numbers = [b, 0, 1, f]x[o, 0, 1, i]->[b, 0, 1, f], window = {stride = [1, 1], pad = [[1, 1], [1, 1]], lhs_dilate = [1, 1], rhs_dilate = [1, 1]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64, precision_config = [#stablehlo<precision HIGHEST>, #stablehlo<precision HIGHEST>]} : (tensor<4x8x8x2xf32>, tensor<2x3x3x2xf32>) -> tensor<4x8x8x2xf32>
    // encoder.layer1.0.bn1: sums of the distance from the running mean, and of its square
    %43 = stablehlo.reshape %42 : (tensor<4x8x8x2xf32>) -> tensor<2x128x2xf32>
    %44 = stablehlo.broadcast_in_dim %encoder.layer1.0.bn1.running_mean, dims = [2] : (tensor<2xf32>) -> tensor<2x128x2xf32>
    %45 = stablehlo.subtract %43, %44 : tensor<2x128x2xf32>
    %46 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %47 = stablehlo.reduce(%45 init: %46) applies stablehlo.add across dimensions = [1] : (tensor<2x128x2xf32>, tensor<f32>) -> tensor<2x2xf32>
    %48 = stablehlo.multiply %45, %45 : tensor<2x128x2xf32>
    %49 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %50 = stablehlo.reduce(%48 init: %49) applies stablehlo.add across dimensions = [1] : (tensor<2x128x2xf32>, tensor<f32>) -> tensor<2x2xf32>
    %51 = stablehlo.concatenate %47, %50, dim = 1 : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x4xf32>
    %52 = stablehlo.reshape %51 : (tensor<2x4xf32>) -> tensor<8xf32>
    %53 = stablehlo.reshape %52 : (tensor<8xf32>) -> tensor<2x4xf32>
    %54 = stablehlo.constant dense<7.8125e-03> : tensor<2x4xf32>
    %55 = stablehlo.multiply %53, %54 : tensor<2x4xf32>
    %56 = stablehlo.slice %55 [0:2, 0:2] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %57 = stablehlo.slice %55 [0:2, 2:4] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %58 = stablehlo.multiply %56, %56 : tensor<2x2xf32>
    %59 = stablehlo.subtract %57, %58 : tensor<2x2xf32>
    %60 = stablehlo.constant dense<0.0e+00> : tensor<2x2xf32>
    %61 = stablehlo.maximum %59, %60 : tensor<2x2xf32>
    %62 = stablehlo.constant dense<1.0e-05> : tensor<2x2xf32>
    %63 = stablehlo.add %61, %62 : tensor<2x2xf32>
    %64 = stablehlo.rsqrt %63 : tensor<2x2xf32>
    %65 = stablehlo.broadcast_in_dim %encoder.layer1.0.bn1.running_mean, dims = [1] : (tensor<2xf32>) -> tensor<2x2xf32>
    %66 = stablehlo.add %56, %65 : tensor<2x2xf32>
    %67 = stablehlo.concatenate %66, %64, dim = 1 : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x4xf32>
    %encoder.layer1.0.bn1.statistics = stablehlo.reshape %67 : (tensor<2x4xf32>) -> tensor<8xf32>
    // encoder.layer1.0.bn1: normalise
    %68 = stablehlo.reshape %42 : (tensor<4x8x8x2xf32>) -> tensor<2x128x2xf32>
    %69 = stablehlo.reshape %encoder.layer1.0.bn1.statistics : (tensor<8xf32>) -> tensor<2x4xf32>
    %70 = stablehlo.slice %69 [0:2, 0:2] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %71 = stablehlo.broadcast_in_dim %70, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x128x2xf32>
    %72 = stablehlo.subtract %68, %71 : tensor<2x128x2xf32>
    %73 = stablehlo.reshape %encoder.layer1.0.bn1.statistics : (tensor<8xf32>) -> tensor<2x4xf32>
    %74 = stablehlo.slice %73 [0:2, 2:4] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %75 = stablehlo.broadcast_in_dim %74, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x128x2xf32>
    %76 = stablehlo.multiply %72, %75 : tensor<2x128x2xf32>
    %77 = stablehlo.broadcast_in_dim %encoder.layer1.0.bn1.weight, dims = [2] : (tensor<2xf32>) -> tensor<2x128x2xf32>
    %78 = stablehlo.multiply %76, %77 : tensor<2x128x2xf32>
    %79 = stablehlo.broadcast_in_dim %encoder.layer1.0.bn1.bias, dims = [2] : (tensor<2xf32>) -> tensor<2x128x2xf32>
    %80 = stablehlo.add %78, %79 : tensor<2x128x2xf32>
    %81 = stablehlo.reshape %80 : (tensor<2x128x2xf32>) -> tensor<4x8x8x2xf32>
    %82 = stablehlo.constant dense<0.0e+00> : tensor<4x8x8x2xf32>
    %83 = stablehlo.maximum %81, %82 : tensor<4x8x8x2xf32>
    // encoder.layer1.0.conv2: 3×3, stride 1, 2 to 2 channels
    %84 = stablehlo.convolution(%83, %encoder.layer1.0.conv2.weight) dim_numbers = [b, 0, 1, f]x[o, 0, 1, i]->[b, 0, 1, f], window = {stride = [1, 1], pad = [[1, 1], [1, 1]], lhs_dilate = [1, 1], rhs_dilate = [1, 1]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64, precision_config = [#stablehlo<precision HIGHEST>, #stablehlo<precision HIGHEST>]} : (tensor<4x8x8x2xf32>, tensor<2x3x3x2xf32>) -> tensor<4x8x8x2xf32>
    // encoder.layer1.0.bn2: sums of the distance from the running mean, and of its square
    %85 = stablehlo.reshape %84 : (tensor<4x8x8x2xf32>) -> tensor<2x128x2xf32>
    %86 = stablehlo.broadcast_in_dim %encoder.layer1.0.bn2.running_mean, dims = [2] : (tensor<2xf32>) -> tensor<2x128x2xf32>
    %87 = stablehlo.subtract %85, %86 : tensor<2x128x2xf32>
    %88 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %89 = stablehlo.reduce(%87 init: %88) applies stablehlo.add across dimensions = [1] : (tensor<2x128x2xf32>, tensor<f32>) -> tensor<2x2xf32>
    %90 = stablehlo.multiply %87, %87 : tensor<2x128x2xf32>
    %91 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %92 = stablehlo.reduce(%90 init: %91) applies stablehlo.add across dimensions = [1] : (tensor<2x128x2xf32>, tensor<f32>) -> tensor<2x2xf32>
    %93 = stablehlo.concatenate %89, %92, dim = 1 : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x4xf32>
    %94 = stablehlo.reshape %93 : (tensor<2x4xf32>) -> tensor<8xf32>
    %95 = stablehlo.reshape %94 : (tensor<8xf32>) -> tensor<2x4xf32>
    %96 = stablehlo.constant dense<7.8125e-03> : tensor<2x4xf32>
    %97 = stablehlo.multiply %95, %96 : tensor<2x4xf32>
    %98 = stablehlo.slice %97 [0:2, 0:2] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %99 = stablehlo.slice %97 [0:2, 2:4] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %100 = stablehlo.multiply %98, %98 : tensor<2x2xf32>
    %101 = stablehlo.subtract %99, %100 : tensor<2x2xf32>
    %102 = stablehlo.constant dense<0.0e+00> : tensor<2x2xf32>
    %103 = stablehlo.maximum %101, %102 : tensor<2x2xf32>
    %104 = stablehlo.constant dense<1.0e-05> : tensor<2x2xf32>
    %105 = stablehlo.add %103, %104 : tensor<2x2xf32>
    %106 = stablehlo.rsqrt %105 : tensor<2x2xf32>
    %107 = stablehlo.broadcast_in_dim %encoder.layer1.0.bn2.running_mean, dims = [1] : (tensor<2xf32>) -> tensor<2x2xf32>
    %108 = stablehlo.add %98, %107 : tensor<2x2xf32>
    %109 = stablehlo.concatenate %108, %106, dim = 1 : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x4xf32>
    %encoder.layer1.0.bn2.statistics = stablehlo.reshape %109 : (tensor<2x4xf32>) -> tensor<8xf32>
    // encoder.layer1.0.bn2: normalise
    %110 = stablehlo.reshape %84 : (tensor<4x8x8x2xf32>) -> tensor<2x128x2xf32>
    %111 = stablehlo.reshape %encoder.layer1.0.bn2.statistics : (tensor<8xf32>) -> tensor<2x4xf32>
    %112 = stablehlo.slice %111 [0:2, 0:2] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %113 = stablehlo.broadcast_in_dim %112, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x128x2xf32>
    %114 = stablehlo.subtract %110, %113 : tensor<2x128x2xf32>
    %115 = stablehlo.reshape %encoder.layer1.0.bn2.statistics : (tensor<8xf32>) -> tensor<2x4xf32>
    %116 = stablehlo.slice %115 [0:2, 2:4] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %117 = stablehlo.broadcast_in_dim %116, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x128x2xf32>
    %118 = stablehlo.multiply %114, %117 : tensor<2x128x2xf32>
    %119 = stablehlo.broadcast_in_dim %encoder.layer1.0.bn2.weight, dims = [2] : (tensor<2xf32>) -> tensor<2x128x2xf32>
    %120 = stablehlo.multiply %118, %119 : tensor<2x128x2xf32>
    %121 = stablehlo.broadcast_in_dim %encoder.layer1.0.bn2.bias, dims = [2] : (tensor<2xf32>) -> tensor<2x128x2xf32>
    %122 = stablehlo.add %120, %121 : tensor<2x128x2xf32>
    %123 = stablehlo.reshape %122 : (tensor<2x128x2xf32>) -> tensor<4x8x8x2xf32>
    %124 = stablehlo.add %123, %41 : tensor<4x8x8x2xf32>
    %125 = stablehlo.constant dense<0.0e+00> : tensor<4x8x8x2xf32>
    %126 = stablehlo.maximum %124, %125 : tensor<4x8x8x2xf32>
    // mean over positions
    %127 = stablehlo.reshape %126 : (tensor<4x8x8x2xf32>) -> tensor<4x64x2xf32>
    %128 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %129 = stablehlo.reduce(%127 init: %128) applies stablehlo.add across dimensions = [1] : (tensor<4x64x2xf32>, tensor<f32>) -> tensor<4x2xf32>
    %130 = stablehlo.constant dense<1.5625e-02> : tensor<4x2xf32>
    %131 = stablehlo.multiply %129, %130 : tensor<4x2xf32>
    // projector.0: 2 to 6
    %132 = stablehlo.dot_general %131, %projector.0.weight, contracting_dims = [1] x [1], precision = [HIGHEST, HIGHEST] : (tensor<4x2xf32>, tensor<6x2xf32>) -> tensor<4x6xf32>
    %133 = stablehlo.broadcast_in_dim %projector.0.bias, dims = [1] : (tensor<6xf32>) -> tensor<4x6xf32>
    %134 = stablehlo.add %132, %133 : tensor<4x6xf32>
    // projector.1: sums of the distance from the running mean, and of its square
    %135 = stablehlo.reshape %134 : (tensor<4x6xf32>) -> tensor<2x2x6xf32>
    %136 = stablehlo.broadcast_in_dim %projector.1.running_mean, dims = [2] : (tensor<6xf32>) -> tensor<2x2x6xf32>
    %137 = stablehlo.subtract %135, %136 : tensor<2x2x6xf32>
    %138 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %139 = stablehlo.reduce(%137 init: %138) applies stablehlo.add across dimensions = [1] : (tensor<2x2x6xf32>, tensor<f32>) -> tensor<2x6xf32>
    %140 = stablehlo.multiply %137, %137 : tensor<2x2x6xf32>
    %141 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %142 = stablehlo.reduce(%140 init: %141) applies stablehlo.add across dimensions = [1] : (tensor<2x2x6xf32>, tensor<f32>) -> tensor<2x6xf32>
    %143 = stablehlo.concatenate %139, %142, dim = 1 : (tensor<2x6xf32>, tensor<2x6xf32>) -> tensor<2x12xf32>
    %144 = stablehlo.reshape %143 : (tensor<2x12xf32>) -> tensor<24xf32>
    %145 = stablehlo.reshape %144 : (tensor<24xf32>) -> tensor<2x12xf32>
    %146 = stablehlo.constant dense<5.0e-01> : tensor<2x12xf32>
    %147 = stablehlo.multiply %145, %146 : tensor<2x12xf32>
    %148 = stablehlo.slice %147 [0:2, 0:6] : (tensor<2x12xf32>) -> tensor<2x6xf32>
    %149 = stablehlo.slice %147 [0:2, 6:12] : (tensor<2x12xf32>) -> tensor<2x6xf32>
    %150 = stablehlo.multiply %148, %148 : tensor<2x6xf32>
    %151 = stablehlo.subtract %149, %150 : tensor<2x6xf32>
    %152 = stablehlo.constant dense<0.0e+00> : tensor<2x6xf32>
    %153 = stablehlo.maximum %151, %152 : tensor<2x6xf32>
    %154 = stablehlo.constant dense<1.0e-05> : tensor<2x6xf32>
    %155 = stablehlo.add %153, %154 : tensor<2x6xf32>
    %156 = stablehlo.rsqrt %155 : tensor<2x6xf32>
    %157 = stablehlo.broadcast_in_dim %projector.1.running_mean, dims = [1] : (tensor<6xf32>) -> tensor<2x6xf32>
    %158 = stablehlo.add %148, %157 : tensor<2x6xf32>
    %159 = stablehlo.concatenate %158, %156, dim = 1 : (tensor<2x6xf32>, tensor<2x6xf32>) -> tensor<2x12xf32>
    %projector.1.statistics = stablehlo.reshape %159 : (tensor<2x12xf32>) -> tensor<24xf32>
    // projector.1: normalise
    %160 = stablehlo.reshape %134 : (tensor<4x6xf32>) -> tensor<2x2x6xf32>
    %161 = stablehlo.reshape %projector.1.statistics : (tensor<24xf32>) -> tensor<2x12xf32>
    %162 = stablehlo.slice %161 [0:2, 0:6] : (tensor<2x12xf32>) -> tensor<2x6xf32>
    %163 = stablehlo.broadcast_in_dim %162, dims = [0, 2] : (tensor<2x6xf32>) -> tensor<2x2x6xf32>
    %164 = stablehlo.subtract %160, %163 : tensor<2x2x6xf32>
    %165 = stablehlo.reshape %projector.1.statistics : (tensor<24xf32>) -> tensor<2x12xf32>
    %166 = stablehlo.slice %165 [0:2, 6:12] : (tensor<2x12xf32>) -> tensor<2x6xf32>
    %167 = stablehlo.broadcast_in_dim %166, dims = [0, 2] : (tensor<2x6xf32>) -> tensor<2x2x6xf32>
    %168 = stablehlo.multiply %164, %167 : tensor<2x2x6xf32>
    %169 = stablehlo.broadcast_in_dim %projector.1.weight, dims = [2] : (tensor<6xf32>) -> tensor<2x2x6xf32>
    %170 = stablehlo.multiply %168, %169 : tensor<2x2x6xf32>
    %171 = stablehlo.broadcast_in_dim %projector.1.bias, dims = [2] : (tensor<6xf32>) -> tensor<2x2x6xf32>
    %172 = stablehlo.add %170, %171 : tensor<2x2x6xf32>
    %173 = stablehlo.reshape %172 : (tensor<2x2x6xf32>) -> tensor<4x6xf32>
    %174 = stablehlo.constant dense<0.0e+00> : tensor<4x6xf32>
    %175 = stablehlo.maximum %173, %174 : tensor<4x6xf32>
    // projector.3: 6 to 4
    %target.projection = stablehlo.dot_general %175, %projector.3.weight, contracting_dims = [1] x [1], precision = [HIGHEST, HIGHEST] : (tensor<4x6xf32>, tensor<4x6xf32>) -> tensor<4x4xf32>
    %sums = stablehlo.concatenate %10, %52, %94, %144, dim = 0 : (tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<24xf32>) -> tensor<48xf32>
    return %target.projection, %sums : tensor<4x4xf32>, tensor<48xf32>
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
      %predictor.1.statistics: tensor<20xf32>,
      %predictor.1.weight: tensor<5xf32>,
      %predictor.0.weight: tensor<5x4xf32>,
      %projector.3.weight: tensor<4x6xf32>,
      %projector.0.y: tensor<4x6xf32>,
      %projector.0.z: tensor<4x6xf32>,
      %projector.1.statistics: tensor<24xf32>,
      %projector.1.weight: tensor<6xf32>,
      %projector.0.weight: tensor<6x2xf32>,
      %encoder.layer1.0.conv2.y: tensor<4x8x8x2xf32>,
      %encoder.layer1.0.conv2.z: tensor<4x8x8x2xf32>,
      %encoder.layer1.0.bn2.statistics: tensor<8xf32>,
      %encoder.layer1.0.bn2.weight: tensor<2xf32>,
      %encoder.layer1.0.conv2.weight: tensor<2x3x3x2xf32>,
      %encoder.layer1.0.conv1.y: tensor<4x8x8x2xf32>,
      %encoder.layer1.0.conv1.z: tensor<4x8x8x2xf32>,
      %encoder.layer1.0.bn1.statistics: tensor<8xf32>,
      %encoder.layer1.0.bn1.weight: tensor<2xf32>,
      %encoder.layer1.0.conv1.weight: tensor<2x3x3x2xf32>,
      %encoder.conv1.y: tensor<4x8x8x2xf32>,
      %encoder.conv1.z: tensor<4x8x8x2xf32>,
      %encoder.bn1.statistics: tensor<8xf32>,
      %encoder.bn1.weight: tensor<2xf32>
  ) -> (
      tensor<4x5xf32>,
      tensor<4x4xf32>,
      tensor<4x6xf32>,
      tensor<4x8x8x2xf32>,
      tensor<4x8x8x2xf32>,
      tensor<4x8x8x2xf32>,
      tensor<68xf32>
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
    %9 = stablehlo.reshape %predictor.1.statistics : (tensor<20xf32>) -> tensor<2x10xf32>
    %10 = stablehlo.slice %9 [0:2, 0:5] : (tensor<2x10xf32>) -> tensor<2x5xf32>
    %11 = stablehlo.broadcast_in_dim %10, dims = [0, 2] : (tensor<2x5xf32>) -> tensor<2x2x5xf32>
    %12 = stablehlo.subtract %8, %11 : tensor<2x2x5xf32>
    %13 = stablehlo.reshape %predictor.1.statistics : (tensor<20xf32>) -> tensor<2x10xf32>
    %14 = stablehlo.slice %13 [0:2, 5:10] : (tensor<2x10xf32>) -> tensor<2x5xf32>
    %15 = stablehlo.broadcast_in_dim %14, dims = [0, 2] : (tensor<2x5xf32>) -> tensor<2x2x5xf32>
    %16 = stablehlo.multiply %12, %15 : tensor<2x2x5xf32>
    %17 = stablehlo.multiply %5, %16 : tensor<2x2x5xf32>
    %18 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %19 = stablehlo.reduce(%17 init: %18) applies stablehlo.add across dimensions = [1] : (tensor<2x2x5xf32>, tensor<f32>) -> tensor<2x5xf32>
    %20 = stablehlo.concatenate %7, %19, dim = 1 : (tensor<2x5xf32>, tensor<2x5xf32>) -> tensor<2x10xf32>
    %21 = stablehlo.reshape %20 : (tensor<2x10xf32>) -> tensor<20xf32>
    %22 = stablehlo.constant dense<5.0e-01> : tensor<20xf32>
    %23 = stablehlo.multiply %21, %22 : tensor<20xf32>
    // predictor.1: gradient
    %24 = stablehlo.reshape %4 : (tensor<4x5xf32>) -> tensor<2x2x5xf32>
    %25 = stablehlo.reshape %predictor.0.z : (tensor<4x5xf32>) -> tensor<2x2x5xf32>
    %26 = stablehlo.reshape %predictor.1.statistics : (tensor<20xf32>) -> tensor<2x10xf32>
    %27 = stablehlo.slice %26 [0:2, 0:5] : (tensor<2x10xf32>) -> tensor<2x5xf32>
    %28 = stablehlo.broadcast_in_dim %27, dims = [0, 2] : (tensor<2x5xf32>) -> tensor<2x2x5xf32>
    %29 = stablehlo.subtract %25, %28 : tensor<2x2x5xf32>
    %30 = stablehlo.reshape %predictor.1.statistics : (tensor<20xf32>) -> tensor<2x10xf32>
    %31 = stablehlo.slice %30 [0:2, 5:10] : (tensor<2x10xf32>) -> tensor<2x5xf32>
    %32 = stablehlo.broadcast_in_dim %31, dims = [0, 2] : (tensor<2x5xf32>) -> tensor<2x2x5xf32>
    %33 = stablehlo.multiply %29, %32 : tensor<2x2x5xf32>
    %34 = stablehlo.reshape %23 : (tensor<20xf32>) -> tensor<2x10xf32>
    %35 = stablehlo.slice %34 [0:2, 0:5] : (tensor<2x10xf32>) -> tensor<2x5xf32>
    %36 = stablehlo.broadcast_in_dim %35, dims = [0, 2] : (tensor<2x5xf32>) -> tensor<2x2x5xf32>
    %37 = stablehlo.subtract %24, %36 : tensor<2x2x5xf32>
    %38 = stablehlo.reshape %23 : (tensor<20xf32>) -> tensor<2x10xf32>
    %39 = stablehlo.slice %38 [0:2, 5:10] : (tensor<2x10xf32>) -> tensor<2x5xf32>
    %40 = stablehlo.broadcast_in_dim %39, dims = [0, 2] : (tensor<2x5xf32>) -> tensor<2x2x5xf32>
    %41 = stablehlo.multiply %33, %40 : tensor<2x2x5xf32>
    %42 = stablehlo.subtract %37, %41 : tensor<2x2x5xf32>
    %43 = stablehlo.reshape %predictor.1.statistics : (tensor<20xf32>) -> tensor<2x10xf32>
    %44 = stablehlo.slice %43 [0:2, 5:10] : (tensor<2x10xf32>) -> tensor<2x5xf32>
    %45 = stablehlo.broadcast_in_dim %44, dims = [0, 2] : (tensor<2x5xf32>) -> tensor<2x2x5xf32>
    %46 = stablehlo.broadcast_in_dim %predictor.1.weight, dims = [2] : (tensor<5xf32>) -> tensor<2x2x5xf32>
    %47 = stablehlo.multiply %45, %46 : tensor<2x2x5xf32>
    %48 = stablehlo.multiply %42, %47 : tensor<2x2x5xf32>
    %d.predictor.0.z = stablehlo.reshape %48 : (tensor<2x2x5xf32>) -> tensor<4x5xf32>
    // gradient of the input of predictor.0
    %49 = stablehlo.dot_general %d.predictor.0.z, %predictor.0.weight, contracting_dims = [1] x [0], precision = [HIGHEST, HIGHEST] : (tensor<4x5xf32>, tensor<5x4xf32>) -> tensor<4x4xf32>
    // gradient of the input of projector.3
    %50 = stablehlo.dot_general %49, %projector.3.weight, contracting_dims = [1] x [0], precision = [HIGHEST, HIGHEST] : (tensor<4x4xf32>, tensor<4x6xf32>) -> tensor<4x6xf32>
    %51 = stablehlo.constant dense<0.0e+00> : tensor<4x6xf32>
    %52 = stablehlo.compare GT, %projector.0.y, %51, FLOAT : (tensor<4x6xf32>, tensor<4x6xf32>) -> tensor<4x6xi1>
    %53 = stablehlo.constant dense<0.0e+00> : tensor<4x6xf32>
    %54 = stablehlo.select %52, %50, %53 : (tensor<4x6xi1>, tensor<4x6xf32>, tensor<4x6xf32>) -> tensor<4x6xf32>
    // projector.1: sums of the gradient, and of its product with x̂
    %55 = stablehlo.reshape %54 : (tensor<4x6xf32>) -> tensor<2x2x6xf32>
    %56 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %57 = stablehlo.reduce(%55 init: %56) applies stablehlo.add across dimensions = [1] : (tensor<2x2x6xf32>, tensor<f32>) -> tensor<2x6xf32>
    %58 = stablehlo.reshape %projector.0.z : (tensor<4x6xf32>) -> tensor<2x2x6xf32>
    %59 = stablehlo.reshape %projector.1.statistics : (tensor<24xf32>) -> tensor<2x12xf32>
    %60 = stablehlo.slice %59 [0:2, 0:6] : (tensor<2x12xf32>) -> tensor<2x6xf32>
    %61 = stablehlo.broadcast_in_dim %60, dims = [0, 2] : (tensor<2x6xf32>) -> tensor<2x2x6xf32>
    %62 = stablehlo.subtract %58, %61 : tensor<2x2x6xf32>
    %63 = stablehlo.reshape %projector.1.statistics : (tensor<24xf32>) -> tensor<2x12xf32>
    %64 = stablehlo.slice %63 [0:2, 6:12] : (tensor<2x12xf32>) -> tensor<2x6xf32>
    %65 = stablehlo.broadcast_in_dim %64, dims = [0, 2] : (tensor<2x6xf32>) -> tensor<2x2x6xf32>
    %66 = stablehlo.multiply %62, %65 : tensor<2x2x6xf32>
    %67 = stablehlo.multiply %55, %66 : tensor<2x2x6xf32>
    %68 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %69 = stablehlo.reduce(%67 init: %68) applies stablehlo.add across dimensions = [1] : (tensor<2x2x6xf32>, tensor<f32>) -> tensor<2x6xf32>
    %70 = stablehlo.concatenate %57, %69, dim = 1 : (tensor<2x6xf32>, tensor<2x6xf32>) -> tensor<2x12xf32>
    %71 = stablehlo.reshape %70 : (tensor<2x12xf32>) -> tensor<24xf32>
    %72 = stablehlo.constant dense<5.0e-01> : tensor<24xf32>
    %73 = stablehlo.multiply %71, %72 : tensor<24xf32>
    // projector.1: gradient
    %74 = stablehlo.reshape %54 : (tensor<4x6xf32>) -> tensor<2x2x6xf32>
    %75 = stablehlo.reshape %projector.0.z : (tensor<4x6xf32>) -> tensor<2x2x6xf32>
    %76 = stablehlo.reshape %projector.1.statistics : (tensor<24xf32>) -> tensor<2x12xf32>
    %77 = stablehlo.slice %76 [0:2, 0:6] : (tensor<2x12xf32>) -> tensor<2x6xf32>
    %78 = stablehlo.broadcast_in_dim %77, dims = [0, 2] : (tensor<2x6xf32>) -> tensor<2x2x6xf32>
    %79 = stablehlo.subtract %75, %78 : tensor<2x2x6xf32>
    %80 = stablehlo.reshape %projector.1.statistics : (tensor<24xf32>) -> tensor<2x12xf32>
    %81 = stablehlo.slice %80 [0:2, 6:12] : (tensor<2x12xf32>) -> tensor<2x6xf32>
    %82 = stablehlo.broadcast_in_dim %81, dims = [0, 2] : (tensor<2x6xf32>) -> tensor<2x2x6xf32>
    %83 = stablehlo.multiply %79, %82 : tensor<2x2x6xf32>
    %84 = stablehlo.reshape %73 : (tensor<24xf32>) -> tensor<2x12xf32>
    %85 = stablehlo.slice %84 [0:2, 0:6] : (tensor<2x12xf32>) -> tensor<2x6xf32>
    %86 = stablehlo.broadcast_in_dim %85, dims = [0, 2] : (tensor<2x6xf32>) -> tensor<2x2x6xf32>
    %87 = stablehlo.subtract %74, %86 : tensor<2x2x6xf32>
    %88 = stablehlo.reshape %73 : (tensor<24xf32>) -> tensor<2x12xf32>
    %89 = stablehlo.slice %88 [0:2, 6:12] : (tensor<2x12xf32>) -> tensor<2x6xf32>
    %90 = stablehlo.broadcast_in_dim %89, dims = [0, 2] : (tensor<2x6xf32>) -> tensor<2x2x6xf32>
    %91 = stablehlo.multiply %83, %90 : tensor<2x2x6xf32>
    %92 = stablehlo.subtract %87, %91 : tensor<2x2x6xf32>
    %93 = stablehlo.reshape %projector.1.statistics : (tensor<24xf32>) -> tensor<2x12xf32>
    %94 = stablehlo.slice %93 [0:2, 6:12] : (tensor<2x12xf32>) -> tensor<2x6xf32>
    %95 = stablehlo.broadcast_in_dim %94, dims = [0, 2] : (tensor<2x6xf32>) -> tensor<2x2x6xf32>
    %96 = stablehlo.broadcast_in_dim %projector.1.weight, dims = [2] : (tensor<6xf32>) -> tensor<2x2x6xf32>
    %97 = stablehlo.multiply %95, %96 : tensor<2x2x6xf32>
    %98 = stablehlo.multiply %92, %97 : tensor<2x2x6xf32>
    %d.projector.0.z = stablehlo.reshape %98 : (tensor<2x2x6xf32>) -> tensor<4x6xf32>
    // gradient of the input of projector.0
    %99 = stablehlo.dot_general %d.projector.0.z, %projector.0.weight, contracting_dims = [1] x [0], precision = [HIGHEST, HIGHEST] : (tensor<4x6xf32>, tensor<6x2xf32>) -> tensor<4x2xf32>
    // gradient of the mean over positions
    %100 = stablehlo.constant dense<1.5625e-02> : tensor<4x2xf32>
    %101 = stablehlo.multiply %99, %100 : tensor<4x2xf32>
    %102 = stablehlo.broadcast_in_dim %101, dims = [0, 2] : (tensor<4x2xf32>) -> tensor<4x64x2xf32>
    %103 = stablehlo.reshape %102 : (tensor<4x64x2xf32>) -> tensor<4x8x8x2xf32>
    // ReLU of the block that ends with encoder.layer1.0.conv2
    %104 = stablehlo.constant dense<0.0e+00> : tensor<4x8x8x2xf32>
    %105 = stablehlo.compare GT, %encoder.layer1.0.conv2.y, %104, FLOAT : (tensor<4x8x8x2xf32>, tensor<4x8x8x2xf32>) -> tensor<4x8x8x2xi1>
    %106 = stablehlo.constant dense<0.0e+00> : tensor<4x8x8x2xf32>
    %107 = stablehlo.select %105, %103, %106 : (tensor<4x8x8x2xi1>, tensor<4x8x8x2xf32>, tensor<4x8x8x2xf32>) -> tensor<4x8x8x2xf32>
    // encoder.layer1.0.bn2: sums of the gradient, and of its product with x̂
    %108 = stablehlo.reshape %107 : (tensor<4x8x8x2xf32>) -> tensor<2x128x2xf32>
    %109 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %110 = stablehlo.reduce(%108 init: %109) applies stablehlo.add across dimensions = [1] : (tensor<2x128x2xf32>, tensor<f32>) -> tensor<2x2xf32>
    %111 = stablehlo.reshape %encoder.layer1.0.conv2.z : (tensor<4x8x8x2xf32>) -> tensor<2x128x2xf32>
    %112 = stablehlo.reshape %encoder.layer1.0.bn2.statistics : (tensor<8xf32>) -> tensor<2x4xf32>
    %113 = stablehlo.slice %112 [0:2, 0:2] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %114 = stablehlo.broadcast_in_dim %113, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x128x2xf32>
    %115 = stablehlo.subtract %111, %114 : tensor<2x128x2xf32>
    %116 = stablehlo.reshape %encoder.layer1.0.bn2.statistics : (tensor<8xf32>) -> tensor<2x4xf32>
    %117 = stablehlo.slice %116 [0:2, 2:4] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %118 = stablehlo.broadcast_in_dim %117, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x128x2xf32>
    %119 = stablehlo.multiply %115, %118 : tensor<2x128x2xf32>
    %120 = stablehlo.multiply %108, %119 : tensor<2x128x2xf32>
    %121 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %122 = stablehlo.reduce(%120 init: %121) applies stablehlo.add across dimensions = [1] : (tensor<2x128x2xf32>, tensor<f32>) -> tensor<2x2xf32>
    %123 = stablehlo.concatenate %110, %122, dim = 1 : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x4xf32>
    %124 = stablehlo.reshape %123 : (tensor<2x4xf32>) -> tensor<8xf32>
    %125 = stablehlo.constant dense<7.8125e-03> : tensor<8xf32>
    %126 = stablehlo.multiply %124, %125 : tensor<8xf32>
    // encoder.layer1.0.bn2: gradient
    %127 = stablehlo.reshape %107 : (tensor<4x8x8x2xf32>) -> tensor<2x128x2xf32>
    %128 = stablehlo.reshape %encoder.layer1.0.conv2.z : (tensor<4x8x8x2xf32>) -> tensor<2x128x2xf32>
    %129 = stablehlo.reshape %encoder.layer1.0.bn2.statistics : (tensor<8xf32>) -> tensor<2x4xf32>
    %130 = stablehlo.slice %129 [0:2, 0:2] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %131 = stablehlo.broadcast_in_dim %130, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x128x2xf32>
    %132 = stablehlo.subtract %128, %131 : tensor<2x128x2xf32>
    %133 = stablehlo.reshape %encoder.layer1.0.bn2.statistics : (tensor<8xf32>) -> tensor<2x4xf32>
    %134 = stablehlo.slice %133 [0:2, 2:4] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %135 = stablehlo.broadcast_in_dim %134, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x128x2xf32>
    %136 = stablehlo.multiply %132, %135 : tensor<2x128x2xf32>
    %137 = stablehlo.reshape %126 : (tensor<8xf32>) -> tensor<2x4xf32>
    %138 = stablehlo.slice %137 [0:2, 0:2] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %139 = stablehlo.broadcast_in_dim %138, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x128x2xf32>
    %140 = stablehlo.subtract %127, %139 : tensor<2x128x2xf32>
    %141 = stablehlo.reshape %126 : (tensor<8xf32>) -> tensor<2x4xf32>
    %142 = stablehlo.slice %141 [0:2, 2:4] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %143 = stablehlo.broadcast_in_dim %142, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x128x2xf32>
    %144 = stablehlo.multiply %136, %143 : tensor<2x128x2xf32>
    %145 = stablehlo.subtract %140, %144 : tensor<2x128x2xf32>
    %146 = stablehlo.reshape %encoder.layer1.0.bn2.statistics : (tensor<8xf32>) -> tensor<2x4xf32>
    %147 = stablehlo.slice %146 [0:2, 2:4] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %148 = stablehlo.broadcast_in_dim %147, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x128x2xf32>
    %149 = stablehlo.broadcast_in_dim %encoder.layer1.0.bn2.weight, dims = [2] : (tensor<2xf32>) -> tensor<2x128x2xf32>
    %150 = stablehlo.multiply %148, %149 : tensor<2x128x2xf32>
    %151 = stablehlo.multiply %145, %150 : tensor<2x128x2xf32>
    %d.encoder.layer1.0.conv2.z = stablehlo.reshape %151 : (tensor<2x128x2xf32>) -> tensor<4x8x8x2xf32>
    // gradient of the input of encoder.layer1.0.conv2
    %152 = stablehlo.reverse %encoder.layer1.0.conv2.weight, dims = [1, 2] : (tensor<2x3x3x2xf32>) -> tensor<2x3x3x2xf32>
    %153 = stablehlo.convolution(%d.encoder.layer1.0.conv2.z, %152) dim_numbers = [b, 0, 1, f]x[i, 0, 1, o]->[b, 0, 1, f], window = {stride = [1, 1], pad = [[1, 1], [1, 1]], lhs_dilate = [1, 1], rhs_dilate = [1, 1]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64, precision_config = [#stablehlo<precision HIGHEST>, #stablehlo<precision HIGHEST>]} : (tensor<4x8x8x2xf32>, tensor<2x3x3x2xf32>) -> tensor<4x8x8x2xf32>
    %154 = stablehlo.constant dense<0.0e+00> : tensor<4x8x8x2xf32>
    %155 = stablehlo.compare GT, %encoder.layer1.0.conv1.y, %154, FLOAT : (tensor<4x8x8x2xf32>, tensor<4x8x8x2xf32>) -> tensor<4x8x8x2xi1>
    %156 = stablehlo.constant dense<0.0e+00> : tensor<4x8x8x2xf32>
    %157 = stablehlo.select %155, %153, %156 : (tensor<4x8x8x2xi1>, tensor<4x8x8x2xf32>, tensor<4x8x8x2xf32>) -> tensor<4x8x8x2xf32>
    // encoder.layer1.0.bn1: sums of the gradient, and of its product with x̂
    %158 = stablehlo.reshape %157 : (tensor<4x8x8x2xf32>) -> tensor<2x128x2xf32>
    %159 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %160 = stablehlo.reduce(%158 init: %159) applies stablehlo.add across dimensions = [1] : (tensor<2x128x2xf32>, tensor<f32>) -> tensor<2x2xf32>
    %161 = stablehlo.reshape %encoder.layer1.0.conv1.z : (tensor<4x8x8x2xf32>) -> tensor<2x128x2xf32>
    %162 = stablehlo.reshape %encoder.layer1.0.bn1.statistics : (tensor<8xf32>) -> tensor<2x4xf32>
    %163 = stablehlo.slice %162 [0:2, 0:2] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %164 = stablehlo.broadcast_in_dim %163, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x128x2xf32>
    %165 = stablehlo.subtract %161, %164 : tensor<2x128x2xf32>
    %166 = stablehlo.reshape %encoder.layer1.0.bn1.statistics : (tensor<8xf32>) -> tensor<2x4xf32>
    %167 = stablehlo.slice %166 [0:2, 2:4] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %168 = stablehlo.broadcast_in_dim %167, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x128x2xf32>
    %169 = stablehlo.multiply %165, %168 : tensor<2x128x2xf32>
    %170 = stablehlo.multiply %158, %169 : tensor<2x128x2xf32>
    %171 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %172 = stablehlo.reduce(%170 init: %171) applies stablehlo.add across dimensions = [1] : (tensor<2x128x2xf32>, tensor<f32>) -> tensor<2x2xf32>
    %173 = stablehlo.concatenate %160, %172, dim = 1 : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x4xf32>
    %174 = stablehlo.reshape %173 : (tensor<2x4xf32>) -> tensor<8xf32>
    %175 = stablehlo.constant dense<7.8125e-03> : tensor<8xf32>
    %176 = stablehlo.multiply %174, %175 : tensor<8xf32>
    // encoder.layer1.0.bn1: gradient
    %177 = stablehlo.reshape %157 : (tensor<4x8x8x2xf32>) -> tensor<2x128x2xf32>
    %178 = stablehlo.reshape %encoder.layer1.0.conv1.z : (tensor<4x8x8x2xf32>) -> tensor<2x128x2xf32>
    %179 = stablehlo.reshape %encoder.layer1.0.bn1.statistics : (tensor<8xf32>) -> tensor<2x4xf32>
    %180 = stablehlo.slice %179 [0:2, 0:2] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %181 = stablehlo.broadcast_in_dim %180, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x128x2xf32>
    %182 = stablehlo.subtract %178, %181 : tensor<2x128x2xf32>
    %183 = stablehlo.reshape %encoder.layer1.0.bn1.statistics : (tensor<8xf32>) -> tensor<2x4xf32>
    %184 = stablehlo.slice %183 [0:2, 2:4] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %185 = stablehlo.broadcast_in_dim %184, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x128x2xf32>
    %186 = stablehlo.multiply %182, %185 : tensor<2x128x2xf32>
    %187 = stablehlo.reshape %176 : (tensor<8xf32>) -> tensor<2x4xf32>
    %188 = stablehlo.slice %187 [0:2, 0:2] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %189 = stablehlo.broadcast_in_dim %188, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x128x2xf32>
    %190 = stablehlo.subtract %177, %189 : tensor<2x128x2xf32>
    %191 = stablehlo.reshape %176 : (tensor<8xf32>) -> tensor<2x4xf32>
    %192 = stablehlo.slice %191 [0:2, 2:4] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %193 = stablehlo.broadcast_in_dim %192, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x128x2xf32>
    %194 = stablehlo.multiply %186, %193 : tensor<2x128x2xf32>
    %195 = stablehlo.subtract %190, %194 : tensor<2x128x2xf32>
    %196 = stablehlo.reshape %encoder.layer1.0.bn1.statistics : (tensor<8xf32>) -> tensor<2x4xf32>
    %197 = stablehlo.slice %196 [0:2, 2:4] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %198 = stablehlo.broadcast_in_dim %197, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x128x2xf32>
    %199 = stablehlo.broadcast_in_dim %encoder.layer1.0.bn1.weight, dims = [2] : (tensor<2xf32>) -> tensor<2x128x2xf32>
    %200 = stablehlo.multiply %198, %199 : tensor<2x128x2xf32>
    %201 = stablehlo.multiply %195, %200 : tensor<2x128x2xf32>
    %d.encoder.layer1.0.conv1.z = stablehlo.reshape %201 : (tensor<2x128x2xf32>) -> tensor<4x8x8x2xf32>
    // gradient of the input of encoder.layer1.0.conv1
    %202 = stablehlo.reverse %encoder.layer1.0.conv1.weight, dims = [1, 2] : (tensor<2x3x3x2xf32>) -> tensor<2x3x3x2xf32>
    %203 = stablehlo.convolution(%d.encoder.layer1.0.conv1.z, %202) dim_numbers = [b, 0, 1, f]x[i, 0, 1, o]->[b, 0, 1, f], window = {stride = [1, 1], pad = [[1, 1], [1, 1]], lhs_dilate = [1, 1], rhs_dilate = [1, 1]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64, precision_config = [#stablehlo<precision HIGHEST>, #stablehlo<precision HIGHEST>]} : (tensor<4x8x8x2xf32>, tensor<2x3x3x2xf32>) -> tensor<4x8x8x2xf32>
    %204 = stablehlo.add %203, %107 : tensor<4x8x8x2xf32>
    %205 = stablehlo.constant dense<0.0e+00> : tensor<4x8x8x2xf32>
    %206 = stablehlo.compare GT, %encoder.conv1.y, %205, FLOAT : (tensor<4x8x8x2xf32>, tensor<4x8x8x2xf32>) -> tensor<4x8x8x2xi1>
    %207 = stablehlo.constant dense<0.0e+00> : tensor<4x8x8x2xf32>
    %208 = stablehlo.select %206, %204, %207 : (tensor<4x8x8x2xi1>, tensor<4x8x8x2xf32>, tensor<4x8x8x2xf32>) -> tensor<4x8x8x2xf32>
    // encoder.bn1: sums of the gradient, and of its product with x̂
    %209 = stablehlo.reshape %208 : (tensor<4x8x8x2xf32>) -> tensor<2x128x2xf32>
    %210 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %211 = stablehlo.reduce(%209 init: %210) applies stablehlo.add across dimensions = [1] : (tensor<2x128x2xf32>, tensor<f32>) -> tensor<2x2xf32>
    %212 = stablehlo.reshape %encoder.conv1.z : (tensor<4x8x8x2xf32>) -> tensor<2x128x2xf32>
    %213 = stablehlo.reshape %encoder.bn1.statistics : (tensor<8xf32>) -> tensor<2x4xf32>
    %214 = stablehlo.slice %213 [0:2, 0:2] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %215 = stablehlo.broadcast_in_dim %214, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x128x2xf32>
    %216 = stablehlo.subtract %212, %215 : tensor<2x128x2xf32>
    %217 = stablehlo.reshape %encoder.bn1.statistics : (tensor<8xf32>) -> tensor<2x4xf32>
    %218 = stablehlo.slice %217 [0:2, 2:4] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %219 = stablehlo.broadcast_in_dim %218, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x128x2xf32>
    %220 = stablehlo.multiply %216, %219 : tensor<2x128x2xf32>
    %221 = stablehlo.multiply %209, %220 : tensor<2x128x2xf32>
    %222 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %223 = stablehlo.reduce(%221 init: %222) applies stablehlo.add across dimensions = [1] : (tensor<2x128x2xf32>, tensor<f32>) -> tensor<2x2xf32>
    %224 = stablehlo.concatenate %211, %223, dim = 1 : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x4xf32>
    %225 = stablehlo.reshape %224 : (tensor<2x4xf32>) -> tensor<8xf32>
    %226 = stablehlo.constant dense<7.8125e-03> : tensor<8xf32>
    %227 = stablehlo.multiply %225, %226 : tensor<8xf32>
    // encoder.bn1: gradient
    %228 = stablehlo.reshape %208 : (tensor<4x8x8x2xf32>) -> tensor<2x128x2xf32>
    %229 = stablehlo.reshape %encoder.conv1.z : (tensor<4x8x8x2xf32>) -> tensor<2x128x2xf32>
    %230 = stablehlo.reshape %encoder.bn1.statistics : (tensor<8xf32>) -> tensor<2x4xf32>
    %231 = stablehlo.slice %230 [0:2, 0:2] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %232 = stablehlo.broadcast_in_dim %231, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x128x2xf32>
    %233 = stablehlo.subtract %229, %232 : tensor<2x128x2xf32>
    %234 = stablehlo.reshape %encoder.bn1.statistics : (tensor<8xf32>) -> tensor<2x4xf32>
    %235 = stablehlo.slice %234 [0:2, 2:4] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %236 = stablehlo.broadcast_in_dim %235, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x128x2xf32>
    %237 = stablehlo.multiply %233, %236 : tensor<2x128x2xf32>
    %238 = stablehlo.reshape %227 : (tensor<8xf32>) -> tensor<2x4xf32>
    %239 = stablehlo.slice %238 [0:2, 0:2] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %240 = stablehlo.broadcast_in_dim %239, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x128x2xf32>
    %241 = stablehlo.subtract %228, %240 : tensor<2x128x2xf32>
    %242 = stablehlo.reshape %227 : (tensor<8xf32>) -> tensor<2x4xf32>
    %243 = stablehlo.slice %242 [0:2, 2:4] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %244 = stablehlo.broadcast_in_dim %243, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x128x2xf32>
    %245 = stablehlo.multiply %237, %244 : tensor<2x128x2xf32>
    %246 = stablehlo.subtract %241, %245 : tensor<2x128x2xf32>
    %247 = stablehlo.reshape %encoder.bn1.statistics : (tensor<8xf32>) -> tensor<2x4xf32>
    %248 = stablehlo.slice %247 [0:2, 2:4] : (tensor<2x4xf32>) -> tensor<2x2xf32>
    %249 = stablehlo.broadcast_in_dim %248, dims = [0, 2] : (tensor<2x2xf32>) -> tensor<2x128x2xf32>
    %250 = stablehlo.broadcast_in_dim %encoder.bn1.weight, dims = [2] : (tensor<2xf32>) -> tensor<2x128x2xf32>
    %251 = stablehlo.multiply %249, %250 : tensor<2x128x2xf32>
    %252 = stablehlo.multiply %246, %251 : tensor<2x128x2xf32>
    %d.encoder.conv1.z = stablehlo.reshape %252 : (tensor<2x128x2xf32>) -> tensor<4x8x8x2xf32>
    %sums = stablehlo.concatenate %21, %71, %124, %174, %225, dim = 0 : (tensor<20xf32>, tensor<24xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>) -> tensor<68xf32>
    return %d.predictor.0.z, %49, %d.projector.0.z, %d.encoder.layer1.0.conv2.z, %d.encoder.layer1.0.conv1.z, %d.encoder.conv1.z, %sums : tensor<4x5xf32>, tensor<4x4xf32>, tensor<4x6xf32>, tensor<4x8x8x2xf32>, tensor<4x8x8x2xf32>, tensor<4x8x8x2xf32>, tensor<68xf32>
  }
}
module @weights_0 {
  func.func public @main(
      %dprediction: tensor<4x4xf32>,
      %predictor.0.y: tensor<4x5xf32>,
      %d.predictor.0.z: tensor<4x5xf32>,
      %projection: tensor<4x4xf32>,
      %0: tensor<4x4xf32>,
      %projector.0.y: tensor<4x6xf32>,
      %d.projector.0.z: tensor<4x6xf32>,
      %embedding: tensor<4x2xf32>,
      %encoder.layer1.0.conv1.y: tensor<4x8x8x2xf32>,
      %d.encoder.layer1.0.conv2.z: tensor<4x8x8x2xf32>,
      %encoder.conv1.y: tensor<4x8x8x2xf32>,
      %d.encoder.layer1.0.conv1.z: tensor<4x8x8x2xf32>,
      %images: tensor<4x8x8x3xf32>,
      %d.encoder.conv1.z: tensor<4x8x8x2xf32>
  ) -> (
      tensor<4x5xf32>,
      tensor<5x4xf32>,
      tensor<5xf32>,
      tensor<4x6xf32>,
      tensor<6x2xf32>,
      tensor<6xf32>,
      tensor<2x3x3x2xf32>,
      tensor<2x3x3x2xf32>,
      tensor<2x3x3x3xf32>
  ) {
    // gradient of predictor.3.weight
    %d.predictor.3.weight = stablehlo.dot_general %dprediction, %predictor.0.y, contracting_dims = [0] x [0], precision = [HIGHEST, HIGHEST] : (tensor<4x4xf32>, tensor<4x5xf32>) -> tensor<4x5xf32>
    // gradient of predictor.0.weight
    %d.predictor.0.weight = stablehlo.dot_general %d.predictor.0.z, %projection, contracting_dims = [0] x [0], precision = [HIGHEST, HIGHEST] : (tensor<4x5xf32>, tensor<4x4xf32>) -> tensor<5x4xf32>
    %1 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %d.predictor.0.bias = stablehlo.reduce(%d.predictor.0.z init: %1) applies stablehlo.add across dimensions = [0] : (tensor<4x5xf32>, tensor<f32>) -> tensor<5xf32>
    // gradient of projector.3.weight
    %d.projector.3.weight = stablehlo.dot_general %0, %projector.0.y, contracting_dims = [0] x [0], precision = [HIGHEST, HIGHEST] : (tensor<4x4xf32>, tensor<4x6xf32>) -> tensor<4x6xf32>
    // gradient of projector.0.weight
    %d.projector.0.weight = stablehlo.dot_general %d.projector.0.z, %embedding, contracting_dims = [0] x [0], precision = [HIGHEST, HIGHEST] : (tensor<4x6xf32>, tensor<4x2xf32>) -> tensor<6x2xf32>
    %2 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %d.projector.0.bias = stablehlo.reduce(%d.projector.0.z init: %2) applies stablehlo.add across dimensions = [0] : (tensor<4x6xf32>, tensor<f32>) -> tensor<6xf32>
    // gradient of encoder.layer1.0.conv2.weight
    %d.encoder.layer1.0.conv2.weight = stablehlo.convolution(%encoder.layer1.0.conv1.y, %d.encoder.layer1.0.conv2.z) dim_numbers = [f, 0, 1, b]x[i, 0, 1, o]->[f, 0, 1, b], window = {stride = [1, 1], pad = [[1, 1], [1, 1]], lhs_dilate = [1, 1], rhs_dilate = [1, 1]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64, precision_config = [#stablehlo<precision HIGHEST>, #stablehlo<precision HIGHEST>]} : (tensor<4x8x8x2xf32>, tensor<4x8x8x2xf32>) -> tensor<2x3x3x2xf32>
    // gradient of encoder.layer1.0.conv1.weight
    %d.encoder.layer1.0.conv1.weight = stablehlo.convolution(%encoder.conv1.y, %d.encoder.layer1.0.conv1.z) dim_numbers = [f, 0, 1, b]x[i, 0, 1, o]->[f, 0, 1, b], window = {stride = [1, 1], pad = [[1, 1], [1, 1]], lhs_dilate = [1, 1], rhs_dilate = [1, 1]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64, precision_config = [#stablehlo<precision HIGHEST>, #stablehlo<precision HIGHEST>]} : (tensor<4x8x8x2xf32>, tensor<4x8x8x2xf32>) -> tensor<2x3x3x2xf32>
    // gradient of encoder.conv1.weight
    %d.encoder.conv1.weight = stablehlo.convolution(%images, %d.encoder.conv1.z) dim_numbers = [f, 0, 1, b]x[i, 0, 1, o]->[f, 0, 1, b], window = {stride = [1, 1], pad = [[1, 1], [1, 1]], lhs_dilate = [1, 1], rhs_dilate = [1, 1]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64, precision_config = [#stablehlo<precision HIGHEST>, #stablehlo<precision HIGHEST>]} : (tensor<4x8x8x3xf32>, tensor<4x8x8x2xf32>) -> tensor<2x3x3x3xf32>
    return %d.predictor.3.weight, %d.predictor.0.weight, %d.predictor.0.bias, %d.projector.3.weight, %d.projector.0.weight, %d.projector.0.bias, %d.encoder.layer1.0.conv2.weight, %d.encoder.layer1.0.conv1.weight, %d.encoder.conv1.weight : tensor<4x5xf32>, tensor<5x4xf32>, tensor<5xf32>, tensor<4x6xf32>, tensor<6x2xf32>, tensor<6xf32>, tensor<2x3x3x2xf32>, tensor<2x3x3x2xf32>, tensor<2x3x3x3xf32>
  }
}
module @update {
  func.func public @main(
      %theta: tensor<247xf32>,
      %gradient: tensor<247xf32>,
      %momentum: tensor<247xf32>,
      %rate: tensor<f32>
  ) -> (
      tensor<247xf32>,
      tensor<247xf32>,
      tensor<19xf32>
  ) {
    // encoder.conv1.weight
    %0 = stablehlo.slice %theta [0:54] : (tensor<247xf32>) -> tensor<54xf32>
    %1 = stablehlo.slice %gradient [0:54] : (tensor<247xf32>) -> tensor<54xf32>
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
    %29 = stablehlo.slice %momentum [0:54] : (tensor<247xf32>) -> tensor<54xf32>
    %30 = stablehlo.constant dense<9.0e-01> : tensor<54xf32>
    %31 = stablehlo.multiply %29, %30 : tensor<54xf32>
    %32 = stablehlo.add %31, %28 : tensor<54xf32>
    %33 = stablehlo.broadcast_in_dim %rate, dims = [] : (tensor<f32>) -> tensor<54xf32>
    %34 = stablehlo.multiply %32, %33 : tensor<54xf32>
    %35 = stablehlo.subtract %0, %34 : tensor<54xf32>
    // encoder.bn1.weight
    %36 = stablehlo.slice %theta [54:56] : (tensor<247xf32>) -> tensor<2xf32>
    %37 = stablehlo.slice %gradient [54:56] : (tensor<247xf32>) -> tensor<2xf32>
    %38 = stablehlo.multiply %37, %37 : tensor<2xf32>
    %39 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %40 = stablehlo.reduce(%38 init: %39) applies stablehlo.add across dimensions = [0] : (tensor<2xf32>, tensor<f32>) -> tensor<f32>
    %41 = stablehlo.reshape %40 : (tensor<f32>) -> tensor<1xf32>
    %42 = stablehlo.slice %momentum [54:56] : (tensor<247xf32>) -> tensor<2xf32>
    %43 = stablehlo.constant dense<9.0e-01> : tensor<2xf32>
    %44 = stablehlo.multiply %42, %43 : tensor<2xf32>
    %45 = stablehlo.add %44, %37 : tensor<2xf32>
    %46 = stablehlo.broadcast_in_dim %rate, dims = [] : (tensor<f32>) -> tensor<2xf32>
    %47 = stablehlo.multiply %45, %46 : tensor<2xf32>
    %48 = stablehlo.subtract %36, %47 : tensor<2xf32>
    // encoder.bn1.bias
    %49 = stablehlo.slice %theta [56:58] : (tensor<247xf32>) -> tensor<2xf32>
    %50 = stablehlo.slice %gradient [56:58] : (tensor<247xf32>) -> tensor<2xf32>
    %51 = stablehlo.multiply %50, %50 : tensor<2xf32>
    %52 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %53 = stablehlo.reduce(%51 init: %52) applies stablehlo.add across dimensions = [0] : (tensor<2xf32>, tensor<f32>) -> tensor<f32>
    %54 = stablehlo.reshape %53 : (tensor<f32>) -> tensor<1xf32>
    %55 = stablehlo.slice %momentum [56:58] : (tensor<247xf32>) -> tensor<2xf32>
    %56 = stablehlo.constant dense<9.0e-01> : tensor<2xf32>
    %57 = stablehlo.multiply %55, %56 : tensor<2xf32>
    %58 = stablehlo.add %57, %50 : tensor<2xf32>
    %59 = stablehlo.broadcast_in_dim %rate, dims = [] : (tensor<f32>) -> tensor<2xf32>
    %60 = stablehlo.multiply %58, %59 : tensor<2xf32>
    %61 = stablehlo.subtract %49, %60 : tensor<2xf32>
    // encoder.layer1.0.conv1.weight
    %62 = stablehlo.slice %theta [58:94] : (tensor<247xf32>) -> tensor<36xf32>
    %63 = stablehlo.slice %gradient [58:94] : (tensor<247xf32>) -> tensor<36xf32>
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
    %91 = stablehlo.slice %momentum [58:94] : (tensor<247xf32>) -> tensor<36xf32>
    %92 = stablehlo.constant dense<9.0e-01> : tensor<36xf32>
    %93 = stablehlo.multiply %91, %92 : tensor<36xf32>
    %94 = stablehlo.add %93, %90 : tensor<36xf32>
    %95 = stablehlo.broadcast_in_dim %rate, dims = [] : (tensor<f32>) -> tensor<36xf32>
    %96 = stablehlo.multiply %94, %95 : tensor<36xf32>
    %97 = stablehlo.subtract %62, %96 : tensor<36xf32>
    // encoder.layer1.0.bn1.weight
    %98 = stablehlo.slice %theta [94:96] : (tensor<247xf32>) -> tensor<2xf32>
    %99 = stablehlo.slice %gradient [94:96] : (tensor<247xf32>) -> tensor<2xf32>
    %100 = stablehlo.multiply %99, %99 : tensor<2xf32>
    %101 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %102 = stablehlo.reduce(%100 init: %101) applies stablehlo.add across dimensions = [0] : (tensor<2xf32>, tensor<f32>) -> tensor<f32>
    %103 = stablehlo.reshape %102 : (tensor<f32>) -> tensor<1xf32>
    %104 = stablehlo.slice %momentum [94:96] : (tensor<247xf32>) -> tensor<2xf32>
    %105 = stablehlo.constant dense<9.0e-01> : tensor<2xf32>
    %106 = stablehlo.multiply %104, %105 : tensor<2xf32>
    %107 = stablehlo.add %106, %99 : tensor<2xf32>
    %108 = stablehlo.broadcast_in_dim %rate, dims = [] : (tensor<f32>) -> tensor<2xf32>
    %109 = stablehlo.multiply %107, %108 : tensor<2xf32>
    %110 = stablehlo.subtract %98, %109 : tensor<2xf32>
    // encoder.layer1.0.bn1.bias
    %111 = stablehlo.slice %theta [96:98] : (tensor<247xf32>) -> tensor<2xf32>
    %112 = stablehlo.slice %gradient [96:98] : (tensor<247xf32>) -> tensor<2xf32>
    %113 = stablehlo.multiply %112, %112 : tensor<2xf32>
    %114 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %115 = stablehlo.reduce(%113 init: %114) applies stablehlo.add across dimensions = [0] : (tensor<2xf32>, tensor<f32>) -> tensor<f32>
    %116 = stablehlo.reshape %115 : (tensor<f32>) -> tensor<1xf32>
    %117 = stablehlo.slice %momentum [96:98] : (tensor<247xf32>) -> tensor<2xf32>
    %118 = stablehlo.constant dense<9.0e-01> : tensor<2xf32>
    %119 = stablehlo.multiply %117, %118 : tensor<2xf32>
    %120 = stablehlo.add %119, %112 : tensor<2xf32>
    %121 = stablehlo.broadcast_in_dim %rate, dims = [] : (tensor<f32>) -> tensor<2xf32>
    %122 = stablehlo.multiply %120, %121 : tensor<2xf32>
    %123 = stablehlo.subtract %111, %122 : tensor<2xf32>
    // encoder.layer1.0.conv2.weight
    %124 = stablehlo.slice %theta [98:134] : (tensor<247xf32>) -> tensor<36xf32>
    %125 = stablehlo.slice %gradient [98:134] : (tensor<247xf32>) -> tensor<36xf32>
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
    %153 = stablehlo.slice %momentum [98:134] : (tensor<247xf32>) -> tensor<36xf32>
    %154 = stablehlo.constant dense<9.0e-01> : tensor<36xf32>
    %155 = stablehlo.multiply %153, %154 : tensor<36xf32>
    %156 = stablehlo.add %155, %152 : tensor<36xf32>
    %157 = stablehlo.broadcast_in_dim %rate, dims = [] : (tensor<f32>) -> tensor<36xf32>
    %158 = stablehlo.multiply %156, %157 : tensor<36xf32>
    %159 = stablehlo.subtract %124, %158 : tensor<36xf32>
    // encoder.layer1.0.bn2.weight
    %160 = stablehlo.slice %theta [134:136] : (tensor<247xf32>) -> tensor<2xf32>
    %161 = stablehlo.slice %gradient [134:136] : (tensor<247xf32>) -> tensor<2xf32>
    %162 = stablehlo.multiply %161, %161 : tensor<2xf32>
    %163 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %164 = stablehlo.reduce(%162 init: %163) applies stablehlo.add across dimensions = [0] : (tensor<2xf32>, tensor<f32>) -> tensor<f32>
    %165 = stablehlo.reshape %164 : (tensor<f32>) -> tensor<1xf32>
    %166 = stablehlo.slice %momentum [134:136] : (tensor<247xf32>) -> tensor<2xf32>
    %167 = stablehlo.constant dense<9.0e-01> : tensor<2xf32>
    %168 = stablehlo.multiply %166, %167 : tensor<2xf32>
    %169 = stablehlo.add %168, %161 : tensor<2xf32>
    %170 = stablehlo.broadcast_in_dim %rate, dims = [] : (tensor<f32>) -> tensor<2xf32>
    %171 = stablehlo.multiply %169, %170 : tensor<2xf32>
    %172 = stablehlo.subtract %160, %171 : tensor<2xf32>
    // encoder.layer1.0.bn2.bias
    %173 = stablehlo.slice %theta [136:138] : (tensor<247xf32>) -> tensor<2xf32>
    %174 = stablehlo.slice %gradient [136:138] : (tensor<247xf32>) -> tensor<2xf32>
    %175 = stablehlo.multiply %174, %174 : tensor<2xf32>
    %176 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %177 = stablehlo.reduce(%175 init: %176) applies stablehlo.add across dimensions = [0] : (tensor<2xf32>, tensor<f32>) -> tensor<f32>
    %178 = stablehlo.reshape %177 : (tensor<f32>) -> tensor<1xf32>
    %179 = stablehlo.slice %momentum [136:138] : (tensor<247xf32>) -> tensor<2xf32>
    %180 = stablehlo.constant dense<9.0e-01> : tensor<2xf32>
    %181 = stablehlo.multiply %179, %180 : tensor<2xf32>
    %182 = stablehlo.add %181, %174 : tensor<2xf32>
    %183 = stablehlo.broadcast_in_dim %rate, dims = [] : (tensor<f32>) -> tensor<2xf32>
    %184 = stablehlo.multiply %182, %183 : tensor<2xf32>
    %185 = stablehlo.subtract %173, %184 : tensor<2xf32>
    // projector.0.weight
    %186 = stablehlo.slice %theta [138:150] : (tensor<247xf32>) -> tensor<12xf32>
    %187 = stablehlo.slice %gradient [138:150] : (tensor<247xf32>) -> tensor<12xf32>
    %188 = stablehlo.multiply %187, %187 : tensor<12xf32>
    %189 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %190 = stablehlo.reduce(%188 init: %189) applies stablehlo.add across dimensions = [0] : (tensor<12xf32>, tensor<f32>) -> tensor<f32>
    %191 = stablehlo.reshape %190 : (tensor<f32>) -> tensor<1xf32>
    %192 = stablehlo.constant dense<1.5e-06> : tensor<12xf32>
    %193 = stablehlo.multiply %186, %192 : tensor<12xf32>
    %194 = stablehlo.add %187, %193 : tensor<12xf32>
    %195 = stablehlo.multiply %186, %186 : tensor<12xf32>
    %196 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %197 = stablehlo.reduce(%195 init: %196) applies stablehlo.add across dimensions = [0] : (tensor<12xf32>, tensor<f32>) -> tensor<f32>
    %198 = stablehlo.sqrt %197 : tensor<f32>
    %199 = stablehlo.multiply %194, %194 : tensor<12xf32>
    %200 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %201 = stablehlo.reduce(%199 init: %200) applies stablehlo.add across dimensions = [0] : (tensor<12xf32>, tensor<f32>) -> tensor<f32>
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
    %213 = stablehlo.broadcast_in_dim %212, dims = [] : (tensor<f32>) -> tensor<12xf32>
    %214 = stablehlo.multiply %194, %213 : tensor<12xf32>
    %215 = stablehlo.slice %momentum [138:150] : (tensor<247xf32>) -> tensor<12xf32>
    %216 = stablehlo.constant dense<9.0e-01> : tensor<12xf32>
    %217 = stablehlo.multiply %215, %216 : tensor<12xf32>
    %218 = stablehlo.add %217, %214 : tensor<12xf32>
    %219 = stablehlo.broadcast_in_dim %rate, dims = [] : (tensor<f32>) -> tensor<12xf32>
    %220 = stablehlo.multiply %218, %219 : tensor<12xf32>
    %221 = stablehlo.subtract %186, %220 : tensor<12xf32>
    // projector.0.bias
    %222 = stablehlo.slice %theta [150:156] : (tensor<247xf32>) -> tensor<6xf32>
    %223 = stablehlo.slice %gradient [150:156] : (tensor<247xf32>) -> tensor<6xf32>
    %224 = stablehlo.multiply %223, %223 : tensor<6xf32>
    %225 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %226 = stablehlo.reduce(%224 init: %225) applies stablehlo.add across dimensions = [0] : (tensor<6xf32>, tensor<f32>) -> tensor<f32>
    %227 = stablehlo.reshape %226 : (tensor<f32>) -> tensor<1xf32>
    %228 = stablehlo.slice %momentum [150:156] : (tensor<247xf32>) -> tensor<6xf32>
    %229 = stablehlo.constant dense<9.0e-01> : tensor<6xf32>
    %230 = stablehlo.multiply %228, %229 : tensor<6xf32>
    %231 = stablehlo.add %230, %223 : tensor<6xf32>
    %232 = stablehlo.broadcast_in_dim %rate, dims = [] : (tensor<f32>) -> tensor<6xf32>
    %233 = stablehlo.multiply %231, %232 : tensor<6xf32>
    %234 = stablehlo.subtract %222, %233 : tensor<6xf32>
    // projector.1.weight
    %235 = stablehlo.slice %theta [156:162] : (tensor<247xf32>) -> tensor<6xf32>
    %236 = stablehlo.slice %gradient [156:162] : (tensor<247xf32>) -> tensor<6xf32>
    %237 = stablehlo.multiply %236, %236 : tensor<6xf32>
    %238 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %239 = stablehlo.reduce(%237 init: %238) applies stablehlo.add across dimensions = [0] : (tensor<6xf32>, tensor<f32>) -> tensor<f32>
    %240 = stablehlo.reshape %239 : (tensor<f32>) -> tensor<1xf32>
    %241 = stablehlo.slice %momentum [156:162] : (tensor<247xf32>) -> tensor<6xf32>
    %242 = stablehlo.constant dense<9.0e-01> : tensor<6xf32>
    %243 = stablehlo.multiply %241, %242 : tensor<6xf32>
    %244 = stablehlo.add %243, %236 : tensor<6xf32>
    %245 = stablehlo.broadcast_in_dim %rate, dims = [] : (tensor<f32>) -> tensor<6xf32>
    %246 = stablehlo.multiply %244, %245 : tensor<6xf32>
    %247 = stablehlo.subtract %235, %246 : tensor<6xf32>
    // projector.1.bias
    %248 = stablehlo.slice %theta [162:168] : (tensor<247xf32>) -> tensor<6xf32>
    %249 = stablehlo.slice %gradient [162:168] : (tensor<247xf32>) -> tensor<6xf32>
    %250 = stablehlo.multiply %249, %249 : tensor<6xf32>
    %251 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %252 = stablehlo.reduce(%250 init: %251) applies stablehlo.add across dimensions = [0] : (tensor<6xf32>, tensor<f32>) -> tensor<f32>
    %253 = stablehlo.reshape %252 : (tensor<f32>) -> tensor<1xf32>
    %254 = stablehlo.slice %momentum [162:168] : (tensor<247xf32>) -> tensor<6xf32>
    %255 = stablehlo.constant dense<9.0e-01> : tensor<6xf32>
    %256 = stablehlo.multiply %254, %255 : tensor<6xf32>
    %257 = stablehlo.add %256, %249 : tensor<6xf32>
    %258 = stablehlo.broadcast_in_dim %rate, dims = [] : (tensor<f32>) -> tensor<6xf32>
    %259 = stablehlo.multiply %257, %258 : tensor<6xf32>
    %260 = stablehlo.subtract %248, %259 : tensor<6xf32>
    // projector.3.weight
    %261 = stablehlo.slice %theta [168:192] : (tensor<247xf32>) -> tensor<24xf32>
    %262 = stablehlo.slice %gradient [168:192] : (tensor<247xf32>) -> tensor<24xf32>
    %263 = stablehlo.multiply %262, %262 : tensor<24xf32>
    %264 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %265 = stablehlo.reduce(%263 init: %264) applies stablehlo.add across dimensions = [0] : (tensor<24xf32>, tensor<f32>) -> tensor<f32>
    %266 = stablehlo.reshape %265 : (tensor<f32>) -> tensor<1xf32>
    %267 = stablehlo.constant dense<1.5e-06> : tensor<24xf32>
    %268 = stablehlo.multiply %261, %267 : tensor<24xf32>
    %269 = stablehlo.add %262, %268 : tensor<24xf32>
    %270 = stablehlo.multiply %261, %261 : tensor<24xf32>
    %271 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %272 = stablehlo.reduce(%270 init: %271) applies stablehlo.add across dimensions = [0] : (tensor<24xf32>, tensor<f32>) -> tensor<f32>
    %273 = stablehlo.sqrt %272 : tensor<f32>
    %274 = stablehlo.multiply %269, %269 : tensor<24xf32>
    %275 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %276 = stablehlo.reduce(%274 init: %275) applies stablehlo.add across dimensions = [0] : (tensor<24xf32>, tensor<f32>) -> tensor<f32>
    %277 = stablehlo.sqrt %276 : tensor<f32>
    %278 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %279 = stablehlo.compare GT, %273, %278, FLOAT : (tensor<f32>, tensor<f32>) -> tensor<i1>
    %280 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %281 = stablehlo.compare GT, %277, %280, FLOAT : (tensor<f32>, tensor<f32>) -> tensor<i1>
    %282 = stablehlo.and %279, %281 : tensor<i1>
    %283 = stablehlo.constant dense<1.0e-03> : tensor<f32>
    %284 = stablehlo.multiply %273, %283 : tensor<f32>
    %285 = stablehlo.divide %284, %277 : tensor<f32>
    %286 = stablehlo.constant dense<1.0e+00> : tensor<f32>
    %287 = stablehlo.select %282, %285, %286 : (tensor<i1>, tensor<f32>, tensor<f32>) -> tensor<f32>
    %288 = stablehlo.broadcast_in_dim %287, dims = [] : (tensor<f32>) -> tensor<24xf32>
    %289 = stablehlo.multiply %269, %288 : tensor<24xf32>
    %290 = stablehlo.slice %momentum [168:192] : (tensor<247xf32>) -> tensor<24xf32>
    %291 = stablehlo.constant dense<9.0e-01> : tensor<24xf32>
    %292 = stablehlo.multiply %290, %291 : tensor<24xf32>
    %293 = stablehlo.add %292, %289 : tensor<24xf32>
    %294 = stablehlo.broadcast_in_dim %rate, dims = [] : (tensor<f32>) -> tensor<24xf32>
    %295 = stablehlo.multiply %293, %294 : tensor<24xf32>
    %296 = stablehlo.subtract %261, %295 : tensor<24xf32>
    // predictor.0.weight
    %297 = stablehlo.slice %theta [192:212] : (tensor<247xf32>) -> tensor<20xf32>
    %298 = stablehlo.slice %gradient [192:212] : (tensor<247xf32>) -> tensor<20xf32>
    %299 = stablehlo.multiply %298, %298 : tensor<20xf32>
    %300 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %301 = stablehlo.reduce(%299 init: %300) applies stablehlo.add across dimensions = [0] : (tensor<20xf32>, tensor<f32>) -> tensor<f32>
    %302 = stablehlo.reshape %301 : (tensor<f32>) -> tensor<1xf32>
    %303 = stablehlo.constant dense<1.5e-06> : tensor<20xf32>
    %304 = stablehlo.multiply %297, %303 : tensor<20xf32>
    %305 = stablehlo.add %298, %304 : tensor<20xf32>
    %306 = stablehlo.multiply %297, %297 : tensor<20xf32>
    %307 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %308 = stablehlo.reduce(%306 init: %307) applies stablehlo.add across dimensions = [0] : (tensor<20xf32>, tensor<f32>) -> tensor<f32>
    %309 = stablehlo.sqrt %308 : tensor<f32>
    %310 = stablehlo.multiply %305, %305 : tensor<20xf32>
    %311 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %312 = stablehlo.reduce(%310 init: %311) applies stablehlo.add across dimensions = [0] : (tensor<20xf32>, tensor<f32>) -> tensor<f32>
    %313 = stablehlo.sqrt %312 : tensor<f32>
    %314 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %315 = stablehlo.compare GT, %309, %314, FLOAT : (tensor<f32>, tensor<f32>) -> tensor<i1>
    %316 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %317 = stablehlo.compare GT, %313, %316, FLOAT : (tensor<f32>, tensor<f32>) -> tensor<i1>
    %318 = stablehlo.and %315, %317 : tensor<i1>
    %319 = stablehlo.constant dense<1.0e-03> : tensor<f32>
    %320 = stablehlo.multiply %309, %319 : tensor<f32>
    %321 = stablehlo.divide %320, %313 : tensor<f32>
    %322 = stablehlo.constant dense<1.0e+00> : tensor<f32>
    %323 = stablehlo.select %318, %321, %322 : (tensor<i1>, tensor<f32>, tensor<f32>) -> tensor<f32>
    %324 = stablehlo.broadcast_in_dim %323, dims = [] : (tensor<f32>) -> tensor<20xf32>
    %325 = stablehlo.multiply %305, %324 : tensor<20xf32>
    %326 = stablehlo.slice %momentum [192:212] : (tensor<247xf32>) -> tensor<20xf32>
    %327 = stablehlo.constant dense<9.0e-01> : tensor<20xf32>
    %328 = stablehlo.multiply %326, %327 : tensor<20xf32>
    %329 = stablehlo.add %328, %325 : tensor<20xf32>
    %330 = stablehlo.broadcast_in_dim %rate, dims = [] : (tensor<f32>) -> tensor<20xf32>
    %331 = stablehlo.multiply %329, %330 : tensor<20xf32>
    %332 = stablehlo.subtract %297, %331 : tensor<20xf32>
    // predictor.0.bias
    %333 = stablehlo.slice %theta [212:217] : (tensor<247xf32>) -> tensor<5xf32>
    %334 = stablehlo.slice %gradient [212:217] : (tensor<247xf32>) -> tensor<5xf32>
    %335 = stablehlo.multiply %334, %334 : tensor<5xf32>
    %336 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %337 = stablehlo.reduce(%335 init: %336) applies stablehlo.add across dimensions = [0] : (tensor<5xf32>, tensor<f32>) -> tensor<f32>
    %338 = stablehlo.reshape %337 : (tensor<f32>) -> tensor<1xf32>
    %339 = stablehlo.slice %momentum [212:217] : (tensor<247xf32>) -> tensor<5xf32>
    %340 = stablehlo.constant dense<9.0e-01> : tensor<5xf32>
    %341 = stablehlo.multiply %339, %340 : tensor<5xf32>
    %342 = stablehlo.add %341, %334 : tensor<5xf32>
    %343 = stablehlo.broadcast_in_dim %rate, dims = [] : (tensor<f32>) -> tensor<5xf32>
    %344 = stablehlo.multiply %342, %343 : tensor<5xf32>
    %345 = stablehlo.subtract %333, %344 : tensor<5xf32>
    // predictor.1.weight
    %346 = stablehlo.slice %theta [217:222] : (tensor<247xf32>) -> tensor<5xf32>
    %347 = stablehlo.slice %gradient [217:222] : (tensor<247xf32>) -> tensor<5xf32>
    %348 = stablehlo.multiply %347, %347 : tensor<5xf32>
    %349 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %350 = stablehlo.reduce(%348 init: %349) applies stablehlo.add across dimensions = [0] : (tensor<5xf32>, tensor<f32>) -> tensor<f32>
    %351 = stablehlo.reshape %350 : (tensor<f32>) -> tensor<1xf32>
    %352 = stablehlo.slice %momentum [217:222] : (tensor<247xf32>) -> tensor<5xf32>
    %353 = stablehlo.constant dense<9.0e-01> : tensor<5xf32>
    %354 = stablehlo.multiply %352, %353 : tensor<5xf32>
    %355 = stablehlo.add %354, %347 : tensor<5xf32>
    %356 = stablehlo.broadcast_in_dim %rate, dims = [] : (tensor<f32>) -> tensor<5xf32>
    %357 = stablehlo.multiply %355, %356 : tensor<5xf32>
    %358 = stablehlo.subtract %346, %357 : tensor<5xf32>
    // predictor.1.bias
    %359 = stablehlo.slice %theta [222:227] : (tensor<247xf32>) -> tensor<5xf32>
    %360 = stablehlo.slice %gradient [222:227] : (tensor<247xf32>) -> tensor<5xf32>
    %361 = stablehlo.multiply %360, %360 : tensor<5xf32>
    %362 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %363 = stablehlo.reduce(%361 init: %362) applies stablehlo.add across dimensions = [0] : (tensor<5xf32>, tensor<f32>) -> tensor<f32>
    %364 = stablehlo.reshape %363 : (tensor<f32>) -> tensor<1xf32>
    %365 = stablehlo.slice %momentum [222:227] : (tensor<247xf32>) -> tensor<5xf32>
    %366 = stablehlo.constant dense<9.0e-01> : tensor<5xf32>
    %367 = stablehlo.multiply %365, %366 : tensor<5xf32>
    %368 = stablehlo.add %367, %360 : tensor<5xf32>
    %369 = stablehlo.broadcast_in_dim %rate, dims = [] : (tensor<f32>) -> tensor<5xf32>
    %370 = stablehlo.multiply %368, %369 : tensor<5xf32>
    %371 = stablehlo.subtract %359, %370 : tensor<5xf32>
    // predictor.3.weight
    %372 = stablehlo.slice %theta [227:247] : (tensor<247xf32>) -> tensor<20xf32>
    %373 = stablehlo.slice %gradient [227:247] : (tensor<247xf32>) -> tensor<20xf32>
    %374 = stablehlo.multiply %373, %373 : tensor<20xf32>
    %375 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %376 = stablehlo.reduce(%374 init: %375) applies stablehlo.add across dimensions = [0] : (tensor<20xf32>, tensor<f32>) -> tensor<f32>
    %377 = stablehlo.reshape %376 : (tensor<f32>) -> tensor<1xf32>
    %378 = stablehlo.constant dense<1.5e-06> : tensor<20xf32>
    %379 = stablehlo.multiply %372, %378 : tensor<20xf32>
    %380 = stablehlo.add %373, %379 : tensor<20xf32>
    %381 = stablehlo.multiply %372, %372 : tensor<20xf32>
    %382 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %383 = stablehlo.reduce(%381 init: %382) applies stablehlo.add across dimensions = [0] : (tensor<20xf32>, tensor<f32>) -> tensor<f32>
    %384 = stablehlo.sqrt %383 : tensor<f32>
    %385 = stablehlo.multiply %380, %380 : tensor<20xf32>
    %386 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %387 = stablehlo.reduce(%385 init: %386) applies stablehlo.add across dimensions = [0] : (tensor<20xf32>, tensor<f32>) -> tensor<f32>
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
    %399 = stablehlo.broadcast_in_dim %398, dims = [] : (tensor<f32>) -> tensor<20xf32>
    %400 = stablehlo.multiply %380, %399 : tensor<20xf32>
    %401 = stablehlo.slice %momentum [227:247] : (tensor<247xf32>) -> tensor<20xf32>
    %402 = stablehlo.constant dense<9.0e-01> : tensor<20xf32>
    %403 = stablehlo.multiply %401, %402 : tensor<20xf32>
    %404 = stablehlo.add %403, %400 : tensor<20xf32>
    %405 = stablehlo.broadcast_in_dim %rate, dims = [] : (tensor<f32>) -> tensor<20xf32>
    %406 = stablehlo.multiply %404, %405 : tensor<20xf32>
    %407 = stablehlo.subtract %372, %406 : tensor<20xf32>
    %theta.next = stablehlo.concatenate %35, %48, %61, %97, %110, %123, %159, %172, %185, %221, %234, %247, %260, %296, %332, %345, %358, %371, %407, dim = 0 : (tensor<54xf32>, tensor<2xf32>, tensor<2xf32>, tensor<36xf32>, tensor<2xf32>, tensor<2xf32>, tensor<36xf32>, tensor<2xf32>, tensor<2xf32>, tensor<12xf32>, tensor<6xf32>, tensor<6xf32>, tensor<6xf32>, tensor<24xf32>, tensor<20xf32>, tensor<5xf32>, tensor<5xf32>, tensor<5xf32>, tensor<20xf32>) -> tensor<247xf32>
    %momentum.next = stablehlo.concatenate %32, %45, %58, %94, %107, %120, %156, %169, %182, %218, %231, %244, %257, %293, %329, %342, %355, %368, %404, dim = 0 : (tensor<54xf32>, tensor<2xf32>, tensor<2xf32>, tensor<36xf32>, tensor<2xf32>, tensor<2xf32>, tensor<36xf32>, tensor<2xf32>, tensor<2xf32>, tensor<12xf32>, tensor<6xf32>, tensor<6xf32>, tensor<6xf32>, tensor<24xf32>, tensor<20xf32>, tensor<5xf32>, tensor<5xf32>, tensor<5xf32>, tensor<20xf32>) -> tensor<247xf32>
    %squares = stablehlo.concatenate %5, %41, %54, %67, %103, %116, %129, %165, %178, %191, %227, %240, %253, %266, %302, %338, %351, %364, %377, dim = 0 : (tensor<1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<19xf32>
    return %theta.next, %momentum.next, %squares : tensor<247xf32>, tensor<247xf32>, tensor<19xf32>
  }
}
module @encode {
  func.func public @main(
      %theta: tensor<247xf32>,
      %images: tensor<4x8x8x3xf32>,
      %statistics: tensor<34xf32>
  ) -> (
      tensor<4x2xf32>
  ) {
    %0 = stablehlo.slice %theta [0:54] : (tensor<247xf32>) -> tensor<54xf32>
    %encoder.conv1.weight = stablehlo.reshape %0 : (tensor<54xf32>) -> tensor<2x3x3x3xf32>
    // encoder.conv1: 3×3, stride 1, 3 to 2 channels
    %1 = stablehlo.convolution(%images, %encoder.conv1.weight) dim_numbers = [b, 0, 1, f]x[o, 0, 1, i]->[b, 0, 1, f], window = {stride = [1, 1], pad = [[1, 1], [1, 1]], lhs_dilate = [1, 1], rhs_dilate = [1, 1]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64, precision_config = [#stablehlo<precision HIGHEST>, #stablehlo<precision HIGHEST>]} : (tensor<4x8x8x3xf32>, tensor<2x3x3x3xf32>) -> tensor<4x8x8x2xf32>
    %encoder.bn1.running_mean = stablehlo.slice %statistics [0:2] : (tensor<34xf32>) -> tensor<2xf32>
    %encoder.bn1.running_var = stablehlo.slice %statistics [2:4] : (tensor<34xf32>) -> tensor<2xf32>
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
    %encoder.bn1.weight = stablehlo.slice %theta [54:56] : (tensor<247xf32>) -> tensor<2xf32>
    %15 = stablehlo.broadcast_in_dim %encoder.bn1.weight, dims = [2] : (tensor<2xf32>) -> tensor<1x256x2xf32>
    %16 = stablehlo.multiply %14, %15 : tensor<1x256x2xf32>
    %encoder.bn1.bias = stablehlo.slice %theta [56:58] : (tensor<247xf32>) -> tensor<2xf32>
    %17 = stablehlo.broadcast_in_dim %encoder.bn1.bias, dims = [2] : (tensor<2xf32>) -> tensor<1x256x2xf32>
    %18 = stablehlo.add %16, %17 : tensor<1x256x2xf32>
    %19 = stablehlo.reshape %18 : (tensor<1x256x2xf32>) -> tensor<4x8x8x2xf32>
    %20 = stablehlo.constant dense<0.0e+00> : tensor<4x8x8x2xf32>
    %21 = stablehlo.maximum %19, %20 : tensor<4x8x8x2xf32>
    %22 = stablehlo.slice %theta [58:94] : (tensor<247xf32>) -> tensor<36xf32>
    %encoder.layer1.0.conv1.weight = stablehlo.reshape %22 : (tensor<36xf32>) -> tensor<2x3x3x2xf32>
    // encoder.layer1.0.conv1: 3×3, stride 1, 2 to 2 channels
    %23 = stablehlo.convolution(%21, %encoder.layer1.0.conv1.weight) dim_numbers = [b, 0, 1, f]x[o, 0, 1, i]->[b, 0, 1, f], window = {stride = [1, 1], pad = [[1, 1], [1, 1]], lhs_dilate = [1, 1], rhs_dilate = [1, 1]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64, precision_config = [#stablehlo<precision HIGHEST>, #stablehlo<precision HIGHEST>]} : (tensor<4x8x8x2xf32>, tensor<2x3x3x2xf32>) -> tensor<4x8x8x2xf32>
    %encoder.layer1.0.bn1.running_mean = stablehlo.slice %statistics [4:6] : (tensor<34xf32>) -> tensor<2xf32>
    %encoder.layer1.0.bn1.running_var = stablehlo.slice %statistics [6:8] : (tensor<34xf32>) -> tensor<2xf32>
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
    %encoder.layer1.0.bn1.weight = stablehlo.slice %theta [94:96] : (tensor<247xf32>) -> tensor<2xf32>
    %37 = stablehlo.broadcast_in_dim %encoder.layer1.0.bn1.weight, dims = [2] : (tensor<2xf32>) -> tensor<1x256x2xf32>
    %38 = stablehlo.multiply %36, %37 : tensor<1x256x2xf32>
    %encoder.layer1.0.bn1.bias = stablehlo.slice %theta [96:98] : (tensor<247xf32>) -> tensor<2xf32>
    %39 = stablehlo.broadcast_in_dim %encoder.layer1.0.bn1.bias, dims = [2] : (tensor<2xf32>) -> tensor<1x256x2xf32>
    %40 = stablehlo.add %38, %39 : tensor<1x256x2xf32>
    %41 = stablehlo.reshape %40 : (tensor<1x256x2xf32>) -> tensor<4x8x8x2xf32>
    %42 = stablehlo.constant dense<0.0e+00> : tensor<4x8x8x2xf32>
    %43 = stablehlo.maximum %41, %42 : tensor<4x8x8x2xf32>
    %44 = stablehlo.slice %theta [98:134] : (tensor<247xf32>) -> tensor<36xf32>
    %encoder.layer1.0.conv2.weight = stablehlo.reshape %44 : (tensor<36xf32>) -> tensor<2x3x3x2xf32>
    // encoder.layer1.0.conv2: 3×3, stride 1, 2 to 2 channels
    %45 = stablehlo.convolution(%43, %encoder.layer1.0.conv2.weight) dim_numbers = [b, 0, 1, f]x[o, 0, 1, i]->[b, 0, 1, f], window = {stride = [1, 1], pad = [[1, 1], [1, 1]], lhs_dilate = [1, 1], rhs_dilate = [1, 1]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64, precision_config = [#stablehlo<precision HIGHEST>, #stablehlo<precision HIGHEST>]} : (tensor<4x8x8x2xf32>, tensor<2x3x3x2xf32>) -> tensor<4x8x8x2xf32>
    %encoder.layer1.0.bn2.running_mean = stablehlo.slice %statistics [8:10] : (tensor<34xf32>) -> tensor<2xf32>
    %encoder.layer1.0.bn2.running_var = stablehlo.slice %statistics [10:12] : (tensor<34xf32>) -> tensor<2xf32>
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
    %encoder.layer1.0.bn2.weight = stablehlo.slice %theta [134:136] : (tensor<247xf32>) -> tensor<2xf32>
    %59 = stablehlo.broadcast_in_dim %encoder.layer1.0.bn2.weight, dims = [2] : (tensor<2xf32>) -> tensor<1x256x2xf32>
    %60 = stablehlo.multiply %58, %59 : tensor<1x256x2xf32>
    %encoder.layer1.0.bn2.bias = stablehlo.slice %theta [136:138] : (tensor<247xf32>) -> tensor<2xf32>
    %61 = stablehlo.broadcast_in_dim %encoder.layer1.0.bn2.bias, dims = [2] : (tensor<2xf32>) -> tensor<1x256x2xf32>
    %62 = stablehlo.add %60, %61 : tensor<1x256x2xf32>
    %63 = stablehlo.reshape %62 : (tensor<1x256x2xf32>) -> tensor<4x8x8x2xf32>
    %64 = stablehlo.add %63, %21 : tensor<4x8x8x2xf32>
    %65 = stablehlo.constant dense<0.0e+00> : tensor<4x8x8x2xf32>
    %66 = stablehlo.maximum %64, %65 : tensor<4x8x8x2xf32>
    // mean over positions
    %67 = stablehlo.reshape %66 : (tensor<4x8x8x2xf32>) -> tensor<4x64x2xf32>
    %68 = stablehlo.constant dense<0.0e+00> : tensor<f32>
    %69 = stablehlo.reduce(%67 init: %68) applies stablehlo.add across dimensions = [1] : (tensor<4x64x2xf32>, tensor<f32>) -> tensor<4x2xf32>
    %70 = stablehlo.constant dense<1.5625e-02> : tensor<4x2xf32>
    %features = stablehlo.multiply %69, %70 : tensor<4x2xf32>
    return %features : tensor<4x2xf32>
  }
}
