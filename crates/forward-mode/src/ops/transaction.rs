//! Batched reads from the device: only primal values leave it.

use burn_backend::ops::{TransactionOps, TransactionPrimitive, TransactionPrimitiveData};
use burn_backend::{Backend, ExecutionError};

use crate::Dual;

impl<B: Backend> TransactionOps<Self> for Dual<B> {
    async fn tr_execute(
        transaction: TransactionPrimitive<Self>,
    ) -> Result<TransactionPrimitiveData, ExecutionError> {
        let floats = transaction.read_floats.into_iter().map(|tensor| tensor.primal).collect();
        B::tr_execute(TransactionPrimitive::new(
            floats,
            transaction.read_qfloats,
            transaction.read_ints,
            transaction.read_bools,
        ))
        .await
    }
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;
    use burn::tensor::{Int, Tensor, Transaction};

    use crate::{Dual, dual};

    #[test]
    fn primal_values_are_read() {
        let device = Default::default();
        let x = Tensor::<Flex, 1>::from_floats([1.0, 2.0], &device);
        let varying = dual(x.clone(), x.ones_like());
        let integers = Tensor::<Dual<Flex>, 1, Int>::from_ints([3], &device);
        let data = Transaction::default().register(varying).register(integers.clone()).execute();
        data[0].assert_eq(&x.into_data(), true);
        data[1].assert_eq(&integers.into_data(), true);
    }
}
